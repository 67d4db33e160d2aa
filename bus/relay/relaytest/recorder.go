package relaytest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/ackbus/ackbus/bus/relay"
)

// An item is one envelope of the suite: who sent it, its number, and filling.
type item struct {
	sender, number uint64
	filling        []byte
}

// envelope encodes an item as a msgpack array, which knows its own end.
func envelope(sender, number uint64, filling []byte) []byte {
	b := msgp.AppendArrayHeader(nil, 3)
	b = msgp.AppendUint64(b, sender)
	b = msgp.AppendUint64(b, number)
	return msgp.AppendBytes(b, filling)
}

// split takes a payload apart: it is one or more whole envelopes.
func split(payload []byte) ([]item, error) {
	var items []item
	for rest := payload; len(rest) > 0; {
		var it item
		fields, b, err := msgp.ReadArrayHeaderBytes(rest)
		if err != nil || fields != 3 {
			return items, fmt.Errorf("envelope %d: %d fields: %w", len(items), fields, err)
		}
		if it.sender, b, err = msgp.ReadUint64Bytes(b); err != nil {
			return items, fmt.Errorf("sender: %w", err)
		}
		if it.number, b, err = msgp.ReadUint64Bytes(b); err != nil {
			return items, fmt.Errorf("number: %w", err)
		}
		if it.filling, b, err = msgp.ReadBytesBytes(b, nil); err != nil {
			return items, fmt.Errorf("filling: %w", err)
		}
		items, rest = append(items, it), b
	}
	return items, nil
}

// A recorder is a receiver that keeps everything. It keeps payloads as it got them, for it owns them.
type recorder struct {
	mu       sync.Mutex
	changed  chan struct{} // closed, and made anew, at each call
	messages []relay.Message
	results  map[uint64]relay.Result
	events   []relay.LaneEvent
	busy     map[string]bool // channels whose Receive is running
	faults   []string        // what a relay must never do
}

func newRecorder() *recorder {
	return &recorder{
		changed: make(chan struct{}),
		results: make(map[uint64]relay.Result),
		busy:    make(map[string]bool),
	}
}

func (r *recorder) changedLocked() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Receive keeps a message.
func (r *recorder) Receive(m relay.Message) {
	key := m.Pattern + "\x00" + m.Channel
	r.mu.Lock()
	if r.busy[key] {
		r.faults = append(r.faults, "two goroutines in Receive for "+m.Channel)
	}
	r.busy[key] = true
	r.mu.Unlock()
	_, err := split(m.Payload) // outside of the lock, so that a second goroutine would be seen
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.faults = append(r.faults, err.Error())
	}
	r.busy[key] = false
	m.Payload = bytes.Clone(m.Payload)
	r.messages = append(r.messages, m)
	r.changedLocked()
}

// Published keeps results.
func (r *recorder) Published(results []relay.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, res := range results {
		if _, twice := r.results[res.Token]; twice || res.Token == 0 {
			r.faults = append(r.faults, fmt.Sprintf("a result too many for token %d", res.Token))
		}
		r.results[res.Token] = res
	}
	r.changedLocked()
}

// Lane keeps an event.
func (r *recorder) Lane(e relay.LaneEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	up := true
	for _, o := range r.events {
		if o.Lane == e.Lane {
			up = o.Up
		}
	}
	if e.Up == up || e.Up == (e.Reason != nil) {
		r.faults = append(r.faults, fmt.Sprintf("lane event %+v while up is %t", e, up))
	}
	r.events = append(r.events, e)
	r.changedLocked()
}

// await waits until done, which is called with the lock held, is true.
func (r *recorder) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	end := time.After(patience)
	r.mu.Lock()
	defer r.mu.Unlock()
	for !done() {
		changed := r.changed
		r.mu.Unlock()
		late := false
		select {
		case <-changed:
		case <-end:
			late = true
		}
		r.mu.Lock()
		if late && !done() {
			t.Fatalf("not within %v: %s (%d messages, %d results, %d lane events)",
				patience, what, len(r.messages), len(r.results), len(r.events))
		}
	}
}

// result awaits the result of a token.
func (r *recorder) result(t *testing.T, token uint64) relay.Result {
	t.Helper()
	var res relay.Result
	r.await(t, fmt.Sprintf("the result of token %d", token), func() bool {
		var ok bool
		res, ok = r.results[token]
		return ok
	})
	return res
}

// resultsOf awaits the results of all tokens up to last.
func (r *recorder) resultsOf(t *testing.T, last uint64) []relay.Result {
	t.Helper()
	r.await(t, fmt.Sprintf("%d results", last), func() bool { return len(r.results) >= int(last) })
	r.mu.Lock()
	defer r.mu.Unlock()
	results := make([]relay.Result, 0, len(r.results))
	for _, res := range r.results {
		results = append(results, res)
	}
	return results
}

// payloads is what came on a channel, as it came, so far.
func (r *recorder) payloads(channel string) []relay.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.messages), func(m relay.Message) bool { return m.Channel != channel })
}

// items awaits n envelopes on a channel, and returns all that came.
func (r *recorder) items(t *testing.T, channel string, n int) []item {
	t.Helper()
	var items []item
	read := 0
	r.await(t, fmt.Sprintf("%d envelopes on %s", n, channel), func() bool {
		for ; read < len(r.messages); read++ {
			if m := r.messages[read]; m.Channel == channel {
				more, _ := split(m.Payload) // Receive has looked for the error
				items = append(items, more...)
			}
		}
		return len(items) >= n
	})
	return items
}

func (r *recorder) fault(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, what)
}

// verify reports what the relay did and must not.
func (r *recorder) verify(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.faults {
		t.Error(f)
	}
}
