package relay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

// A pair is a publisher and a subscriber on one Redis of their own.
type pair struct {
	server    *redistest.Server
	publisher *relay.Redis
	sent      *journal
	receiver  *relay.Redis
	got       *journal
	token     uint64
}

func newPair(t *testing.T, opts *relay.Options) *pair {
	t.Helper()
	p := &pair{server: redistest.Start(t), sent: newJournal(), got: newJournal()}
	p.publisher = startRedis(t, p.server.URL(), opts, p.sent)
	p.receiver = startRedis(t, p.server.URL(), opts, p.got)
	t.Cleanup(func() {
		p.sent.orderly(t)
		p.got.orderly(t)
	})
	return p
}

func subscribe(tb testing.TB, r *relay.Redis, names ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	for _, name := range names {
		if _, err := r.Subscribe(ctx, relay.Channel{Name: name}); err != nil {
			tb.Fatal(err)
		}
	}
}

// send hands over a packet and returns its token.
func (p *pair) send(t *testing.T, channel, payload string, patience time.Duration) uint64 {
	t.Helper()
	p.token++
	err := p.publisher.Publish(t.Context(), relay.Packet{Channel: channel, Payload: []byte(payload), Token: p.token, Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	return p.token
}

func (p *pair) result(t *testing.T, channel, payload string, patience time.Duration) relay.Result {
	t.Helper()
	return p.sent.result(t, p.send(t, channel, payload, patience))
}

// A server that dies and comes back costs a gap. What waited for it arrives, in order; what did not want to wait is known not to have
// been sent.
func TestRestart(t *testing.T) {
	p := newPair(t, nil)
	subscribe(t, p.receiver, "a", "b", "c")
	if r := p.result(t, "a", "before", 0); r.Err != nil || r.Count != 1 {
		t.Fatalf("before the restart: %+v", r)
	}
	_ = p.server.Kill() // reports to the test itself
	eventually(t, "all lanes fell", func() bool { falls, _ := p.got.lanes(); return falls == 4 })
	eventually(t, "a packet is not sent", func() bool {
		r := p.result(t, "a", "impatient", 0)
		if !errors.Is(r.Err, relay.ErrNotSent) && !errors.Is(r.Err, relay.ErrLost) {
			t.Fatalf("without Redis: %+v", r)
		}
		return errors.Is(r.Err, relay.ErrNotSent)
	})
	start := time.Now()
	if r := p.result(t, "a", "patient", 100*time.Millisecond); !errors.Is(r.Err, relay.ErrNotSent) {
		t.Errorf("a packet that waited for 100 ms: %+v", r)
	} else if waited := time.Since(start); waited < 100*time.Millisecond || waited > 5*time.Second {
		t.Errorf("100 ms of patience took %v", waited)
	}
	var waiting []uint64
	for i := range 10 {
		waiting = append(waiting, p.send(t, "a", fmt.Sprint("waiting ", i), 20*time.Second))
	}
	_ = p.server.Restart()
	for _, token := range waiting {
		if r := p.sent.result(t, token); r.Err != nil {
			t.Errorf("a packet that waited for Redis: %+v", r)
		}
	}
	p.got.mended(t, 4)
	p.sent.mended(t, 4)
	for _, name := range []string{"a", "b", "c"} {
		if r := p.result(t, name, "after "+name, 0); r.Err != nil || r.Count != 1 {
			t.Errorf("after the restart: %+v", r)
		}
		eventually(t, "the message arrives", func() bool { return p.got.has("after " + name) })
	}
	if p.got.has("impatient") || p.got.has("patient") {
		t.Errorf("what was not sent arrived: %q", p.got.payloads())
	}
}

// An idle connection that the server has closed is noticed before anything is written to it.
func TestIdleConnectionClosed(t *testing.T) {
	p := newPair(t, nil)
	subscribe(t, p.receiver, "a")
	client := p.server.Client()
	for i := range 20 {
		if err := client.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		r := p.result(t, "a", fmt.Sprint("message ", i), 10*time.Second)
		if r.Err != nil && !errors.Is(r.Err, relay.ErrLost) {
			t.Fatalf("publish over a closed connection: %v", r.Err)
		}
	}
	if r := p.result(t, "a", "last", 10*time.Second); r.Err != nil || r.Count != 1 {
		t.Errorf("in the end: %+v", r)
	}
}

// A server that stands still leaves written packets in doubt, and no more than those.
func TestPaused(t *testing.T) {
	p := newPair(t, &relay.Options{CommandTimeout: 300 * time.Millisecond})
	subscribe(t, p.receiver, "a")
	_ = p.server.Pause()
	start := time.Now()
	lost := p.send(t, "a", "lost", time.Second)
	eventually(t, "it is in flight", p.publisher.Sending)
	behind := p.send(t, "a", "behind", 100*time.Millisecond)
	if r := p.sent.result(t, lost); !errors.Is(r.Err, relay.ErrLost) {
		t.Errorf("written and not answered: %+v", r)
	}
	if r := p.sent.result(t, behind); !errors.Is(r.Err, relay.ErrNotSent) {
		t.Errorf("queued behind it: %+v", r)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("answers took %v", took)
	}
	patient := p.send(t, "a", "patient", 20*time.Second)
	_ = p.server.Resume()
	if r := p.sent.result(t, patient); r.Err != nil {
		t.Errorf("a packet that waited: %+v", r)
	}
	eventually(t, "it arrives", func() bool { return p.got.has("patient") })
	if p.got.has("behind") {
		t.Error("what was not sent arrived")
	}
}

// A caller is not held by a server that stands still, however large the packet.
func TestCallerIsNotHeld(t *testing.T) {
	p := newPair(t, nil)
	subscribe(t, p.receiver, "a")
	for _, size := range []int{100, 8 << 10, 64 << 10, 8 << 20} {
		payload := strings.Repeat("x", size)
		_ = p.server.Pause() // reports to the test itself
		start := time.Now()
		first, second := p.send(t, "a", payload, time.Minute), p.send(t, "a", payload, time.Minute)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("a packet of %d bytes held its caller for %v", size, took)
		}
		_ = p.server.Resume()
		for _, token := range []uint64{first, second} {
			if r := p.sent.result(t, token); r.Err != nil {
				t.Errorf("a packet of %d bytes: %v", size, r.Err)
			}
		}
	}
}

// Lanes that are cut off one by one stand again with everything, and only they report a gap.
func TestLanesKilled(t *testing.T) {
	p := newPair(t, nil)
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprint("channel ", i))
	}
	subscribe(t, p.receiver, names...)
	client := p.server.Client()
	start := time.Now()
	if err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	p.got.mended(t, 4)
	p.sent.mended(t, 4)
	t.Logf("all lanes stood again %v after the kill", time.Since(start))
	counts, err := client.PubSubNumSub(t.Context(), names...).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if counts[name] != 1 {
			t.Fatalf("%s is held %d times", name, counts[name])
		}
	}
	if r := p.result(t, names[7], "x", 0); r.Err != nil || r.Count != 1 {
		t.Errorf("publish: %+v", r)
	}
}

// A reader that stalls until Redis throws it out has a gap, says so, and goes on.
func TestOutputBufferOverflow(t *testing.T) {
	server := redistest.Start(t, "--client-output-buffer-limit", "pubsub 1mb 1mb 0")
	sent, got := newJournal(), newJournal()
	publisher := startRedis(t, server.URL(), nil, sent)
	stalled := &stalling{journal: got, release: make(chan struct{})}
	receiver := startRedis(t, server.URL(), nil, stalled)
	subscribe(t, receiver, "a")
	payload := []byte(strings.Repeat("x", 64<<10))
	token := uint64(0)
	eventually(t, "Redis drops the subscriber", func() bool {
		token++
		if err := publisher.Publish(t.Context(), relay.Packet{Channel: "a", Payload: payload, Token: token, Wait: true}); err != nil {
			t.Fatal(err)
		}
		r := sent.result(t, token)
		return r.Err == nil && r.Count == 0
	})
	close(stalled.release)
	got.mended(t, 1)
	if err := publisher.Publish(t.Context(), relay.Packet{Channel: "a", Payload: []byte("after")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "messages arrive again", func() bool { return got.has("after") })
	got.orderly(t)
}

// stalling takes no message before its release.
type stalling struct {
	*journal
	release chan struct{}
}

func (s *stalling) Receive(m relay.Message) {
	<-s.release
	s.journal.Receive(m)
}

// Close in the middle of everything reports each packet, and leaves nothing.
func TestCloseWhileRedisIsAway(t *testing.T) {
	p := newPair(t, nil)
	_ = p.server.Kill()
	var tokens []uint64
	for i := range 100 {
		tokens = append(tokens, p.send(t, fmt.Sprint(i), "x", 20*time.Second))
	}
	if err := p.publisher.Close(); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(tokens)
	for _, token := range tokens {
		if r := p.sent.result(t, token); !errors.Is(r.Err, relay.ErrNotSent) && !errors.Is(r.Err, relay.ErrLost) {
			t.Errorf("after close: %+v", r)
		}
	}
}
