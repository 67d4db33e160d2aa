package bus

import (
	"context"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// mirror is a relay whose other side answers every request at once, and allocates nothing for it.
type mirror struct {
	receiver relay.Receiver
	node     uuid.UUID
	sent     chan relay.Packet
	packet   []byte
	entries  []byte
	payload  []byte
	results  []relay.Result
	number   uint64
}

func (m *mirror) Start(_ context.Context, _ relay.Self, r relay.Receiver) error {
	m.receiver = r
	return nil
}

func (m *mirror) Publish(_ context.Context, p relay.Packet) error {
	if p.Token == 0 || p.Token&(askToken|1<<61) != 0 {
		return nil
	}
	m.packet = append(m.packet[:0], p.Payload...)
	m.sent <- p
	return nil
}

func (m *mirror) Subscribe(context.Context, relay.Channel) (func(), error) { return func() {}, nil }
func (m *mirror) Alive(context.Context, []string) ([]int, error)           { return []int{4}, nil }
func (m *mirror) Close() error                                             { return nil }

// answer counts a packet, claims it and confirms it, in one batch.
func (m *mirror) answer(p relay.Packet) {
	m.results = append(m.results[:0], relay.Result{Token: p.Token, Count: 1})
	m.receiver.Published(m.results)
	seq := p.Token >> attemptBits
	endpoints := [1]endpointEntry{{}}
	m.entries = appendClaim(m.entries[:0], &claimEntry{seq: seq, attempt: 1, n: 1, endpoints: endpoints[:]})
	m.entries = appendStep(m.entries, &stepEntry{seq: seq, n: 1, outcome: OutcomeConfirmed, reply: Bytes(m.entries[:16])})
	m.number++
	b := keptBatch{number: m.number, entries: m.entries}
	m.payload = appendReports(m.payload[:0], m.node, "mirror", 1, b, 0)
	m.receiver.Receive(relay.Message{Payload: m.payload})
}

// A request costs its publisher four allocations at most.
func TestAllocationsOfARequest(t *testing.T) {
	if requestsInGreatNumber < 100_000 {
		t.Skip("the race detector allocates too")
	}
	m := &mirror{node: uuid.UUID{9}, sent: make(chan relay.Packet, 1)}
	b, err := New(t.Context(), m, &Options{Name: "from", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	done := make(chan struct{})
	go func() {
		defer close(done)
		for p := range m.sent {
			m.answer(p)
		}
	}()
	ctx, body := t.Context(), Bytes(make([]byte, 128))
	allocations := testing.AllocsPerRun(2000, func() {
		if _, err := b.Request(ctx, User("42"), "paid", body); err != nil {
			t.Error(err)
		}
	})
	close(m.sent)
	<-done
	if allocations > 4 {
		t.Errorf("%.1f allocations a request, 4 at most", allocations)
	}
	t.Logf("%.1f allocations a request", allocations)
}
