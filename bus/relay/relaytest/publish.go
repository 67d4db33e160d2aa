package relaytest

import (
	"bytes"
	"sync"
	"testing"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/run"
)

func testCount(t *testing.T, f Factory) {
	a, b, c := start(t, f, Options{}), start(t, f, Options{}), start(t, f, Options{})
	name := unique(f)
	for want, n := range []*node{nil, a, b, c} {
		if n != nil {
			n.subscribe(t, name)
		}
		if got := a.count(t, name); got != want {
			t.Fatalf("count with %d subscribers: %d", want, got)
		}
	}
	a.got.items(t, name, 3)
	b.got.items(t, name, 2)
	c.got.items(t, name, 1)
}

func testSelf(t *testing.T, f Factory) {
	a := start(t, f, Options{})
	name := unique(f)
	a.subscribe(t, name)
	payload := envelope(1, 7, []byte("filling"))
	token := a.send(t, relay.Packet{Channel: name, Payload: payload})
	clear(payload) // it was copied
	if r := a.got.result(t, token); r.Err != nil || r.Count != 1 || r.Beacon != 0 {
		t.Errorf("result: %+v", r)
	}
	it := a.got.items(t, name, 1)[0]
	if it.sender != 1 || it.number != 7 || string(it.filling) != "filling" {
		t.Errorf("received %+v", it)
	}
	if m := a.got.payloads(name)[0]; m.Pattern != "" {
		t.Errorf("pattern %q on a channel", m.Pattern)
	}
}

// testOrder has 2,000 packets published by eight goroutines on four nodes.
func testOrder(t *testing.T, f Factory) {
	const nodes, each, number = 4, 2, 250
	listener := start(t, f, Options{})
	name := unique(f)
	listener.subscribe(t, name)
	publishers := make([]*node, nodes)
	for i := range publishers {
		publishers[i] = start(t, f, Options{})
	}
	together(t, nodes*each, func(sender int) error {
		for k := range uint64(number) {
			n := publishers[sender%nodes]
			p := relay.Packet{Channel: name, Payload: envelope(uint64(sender), k, nil), Wait: true, Token: n.tokens.Add(1)}
			if err := n.Publish(t.Context(), p); err != nil {
				return err
			}
		}
		return nil
	})
	next := make([]uint64, nodes*each)
	for _, it := range listener.got.items(t, name, nodes*each*number) {
		if it.number != next[it.sender] {
			t.Fatalf("sender %d: number %d, want %d", it.sender, it.number, next[it.sender])
		}
		next[it.sender]++
	}
	for _, n := range publishers {
		for _, r := range n.got.resultsOf(t, each*number) {
			if r.Err != nil || r.Count != 1 {
				t.Fatalf("result: %+v", r)
			}
		}
	}
}

// together runs fn in n goroutines, and fails if one of them does.
func together(t *testing.T, n int, fn func(i int) error) {
	t.Helper()
	g := run.New(t.Context())
	var mu sync.Mutex
	var failed error
	for i := range n {
		g.Go(func() {
			if err := fn(i); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
	g.Stop()
	g.Wait()
	if failed != nil {
		t.Fatal(failed)
	}
}

func testConcatenated(t *testing.T, f Factory) {
	const number = 1000
	a, b := start(t, f, Options{}), start(t, f, Options{})
	name := unique(f)
	b.subscribe(t, name)
	for k := range uint64(number) {
		filling := bytes.Repeat([]byte{byte(k)}, int(k*7919%2000))
		a.send(t, relay.Packet{Channel: name, Payload: envelope(0, k, filling), Wait: true})
	}
	for k, it := range b.got.items(t, name, number) {
		whole := bytes.Count(it.filling, []byte{byte(k)}) == k*7919%2000 && len(it.filling) == k*7919%2000
		if it.number != uint64(k) || !whole {
			t.Fatalf("envelope %d: number %d with %d bytes", k, it.number, len(it.filling))
		}
	}
	for _, m := range b.got.payloads(name) {
		if len(m.Payload) > relay.MaxPayload {
			t.Errorf("%d bytes were concatenated", len(m.Payload))
		}
	}
	for _, r := range a.got.resultsOf(t, number) {
		if r.Err != nil || r.Count != 1 {
			t.Fatalf("result: %+v", r)
		}
	}
}

func testLarge(t *testing.T, f Factory) {
	a, b := start(t, f, Options{}), start(t, f, Options{})
	name := unique(f)
	b.subscribe(t, name)
	for k := range uint64(9) {
		var filling []byte
		if k%3 == 1 {
			filling = bytes.Repeat([]byte{byte(k)}, relay.MaxPayload+1)
		}
		a.send(t, relay.Packet{Channel: name, Payload: envelope(0, k, filling)})
	}
	for k, it := range b.got.items(t, name, 9) {
		if it.number != uint64(k) {
			t.Fatalf("envelope %d has number %d", k, it.number)
		}
	}
	for _, m := range b.got.payloads(name) {
		if items, _ := split(m.Payload); len(m.Payload) > relay.MaxPayload && len(items) != 1 {
			t.Errorf("%d envelopes in %d bytes", len(items), len(m.Payload))
		}
	}
	a.got.resultsOf(t, 9)
}

// testTokens has 16 goroutines publish 10,000 packets, every fourth without a token.
func testTokens(t *testing.T, f Factory) {
	const goroutines, each = 16, 625
	a, b := start(t, f, Options{}), start(t, f, Options{})
	names := []string{unique(f), unique(f), unique(f), unique(f)}
	b.subscribe(t, names[0])
	together(t, goroutines, func(g int) error {
		for k := range each {
			p := relay.Packet{Channel: names[k%len(names)], Payload: envelope(uint64(g), uint64(k), nil), Wait: true, Guard: k%10 == 9}
			if (g+k)%4 != 0 {
				p.Token = a.tokens.Add(1)
			}
			if err := a.Publish(t.Context(), p); err != nil {
				return err
			}
		}
		return nil
	})
	last := a.send(t, relay.Packet{Channel: names[0], Payload: envelope(0, 0, nil), Wait: true})
	for _, r := range a.got.resultsOf(t, last) {
		if r.Err != nil || r.Token == 0 || r.Token > last {
			t.Fatalf("result: %+v", r)
		}
	}
	b.got.items(t, names[0], goroutines*(each+len(names)-1)/len(names))
}
