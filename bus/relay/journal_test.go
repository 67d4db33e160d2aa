package relay_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"

	"github.com/ackbus/ackbus/bus/relay"
)

// A journal is a receiver that remembers everything.
type journal struct {
	mu       sync.Mutex
	messages []relay.Message
	results  map[uint64]relay.Result
	events   []relay.LaneEvent
	order    []any // messages and lane events as they came
	twice    int   // results for a token that had one
}

func newJournal() *journal { return &journal{results: make(map[uint64]relay.Result)} }

func (j *journal) Receive(m relay.Message) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m.Payload = bytes.Clone(m.Payload)
	j.messages = append(j.messages, m)
	j.order = append(j.order, m)
}

func (j *journal) Published(results []relay.Result) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range results {
		if _, ok := j.results[r.Token]; ok {
			j.twice++
		}
		j.results[r.Token] = r
	}
}

func (j *journal) Lane(e relay.LaneEvent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	j.order = append(j.order, e)
}

// result awaits the result for the token.
func (j *journal) result(tb testing.TB, token uint64) relay.Result {
	tb.Helper()
	var r relay.Result
	eventually(tb, "a result", func() (ok bool) {
		j.mu.Lock()
		defer j.mu.Unlock()
		r, ok = j.results[token]
		return ok
	})
	return r
}

// payloads of all messages that came so far.
func (j *journal) payloads() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]string, len(j.messages))
	for i, m := range j.messages {
		all[i] = string(m.Payload)
	}
	return all
}

func (j *journal) has(payload string) bool { return slices.Contains(j.payloads(), payload) }

// falls and rises so far.
func (j *journal) lanes() (falls, rises int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		if e.Up {
			rises++
		} else {
			falls++
		}
	}
	return falls, rises
}

// mended awaits that so many lanes fell, and that all that fell stand again.
func (j *journal) mended(tb testing.TB, least int) {
	tb.Helper()
	eventually(tb, "the lanes fell and stand again", func() bool {
		falls, rises := j.lanes()
		return falls >= least && rises == falls
	})
}

// orderly fails the test if a lane rose that had not fallen, or fell twice, or if a token had two results.
func (j *journal) orderly(tb testing.TB) {
	tb.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	down := make(map[int]bool)
	for _, e := range j.events {
		if down[e.Lane] == !e.Up {
			tb.Errorf("lane events out of order: %v", j.events)
		}
		if !e.Up && e.Reason == nil {
			tb.Error("a fall without a reason")
		}
		down[e.Lane] = !e.Up
	}
	if j.twice > 0 {
		tb.Errorf("%d second results", j.twice)
	}
}
