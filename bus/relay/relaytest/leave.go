package relaytest

import (
	"context"
	"testing"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/run"
)

// An answering receiver publishes an envelope for each that it takes.
type answering struct {
	*recorder
	relay relay.Relay
	to    string
}

func (a *answering) Receive(m relay.Message) {
	a.recorder.Receive(m)
	items, _ := split(m.Payload) // the recorder has seen errors
	for _, it := range items {
		p := relay.Packet{Channel: a.to, Payload: envelope(it.sender, it.number, nil)}
		if err := a.relay.Publish(context.Background(), p); err != nil {
			a.fault("an answer: " + err.Error())
		}
	}
}

// testLeave closes a node in the middle of a stream. Every copy that was counted was received, and its answer arrived.
func testLeave(t *testing.T, f Factory) {
	const early, late = 50, 1000
	asker := start(t, f, Options{})
	requests, answers := unique(f), unique(f)
	asker.subscribe(t, answers)
	leaver := &node{Relay: f.New(t, Options{}), id: unique(f), got: newRecorder()}
	t.Cleanup(func() { leaver.got.verify(t) })
	if err := leaver.Start(within(t), relay.Self{ID: leaver.id}, &answering{leaver.got, leaver.Relay, answers}); err != nil {
		t.Fatal(err)
	}
	leaver.subscribe(t, requests)
	g := run.New(t.Context())
	under := make(chan struct{})
	g.Go(func() {
		for k := range uint64(early + late) {
			if k == early {
				close(under)
			}
			p := relay.Packet{Channel: requests, Payload: envelope(0, k, nil), Wait: true, Token: asker.tokens.Add(1)}
			if err := asker.Publish(t.Context(), p); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
	})
	<-under
	if err := leaver.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	g.Stop()
	g.Wait()
	counted := 0
	for _, r := range asker.got.resultsOf(t, early+late) {
		if r.Err != nil {
			t.Fatalf("result: %+v", r)
		}
		counted += r.Count
	}
	if got := len(leaver.got.items(t, requests, counted)); got != counted {
		t.Errorf("%d copies were counted, %d received", counted, got)
	}
	asker.got.items(t, answers, counted)
}
