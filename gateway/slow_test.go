package gateway

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// only is the one session of the rig.
func (r *rig) only() *session {
	r.tb.Helper()
	all := r.gateway.hub.all()
	if len(all) != 1 {
		r.tb.Fatalf("%d sessions, want one", len(all))
	}
	return all[0]
}

// waiting is how many frames wait for the session, those included that are being written.
func (s *session) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.count
}

// stall sends to a user that does not read until at least n messages wait, or the session has ended.
func (r *rig) stall(user string, s *session, n int) {
	r.tb.Helper()
	body := bus.JSON(strings.Repeat("x", 4<<10))
	for s.waiting() < n && !s.ended() {
		r.put(user, body)
	}
}

// put returns once the gateway has taken the message.
func (r *rig) put(user string, body bus.Body) {
	r.tb.Helper()
	_, err := r.publisher.Request(r.ctx(), bus.User(user), "put", body, bus.WithLevel(bus.Claimed))
	if err != nil && !errors.Is(err, bus.ErrDropped) && !errors.Is(err, bus.ErrClosed) && !errors.Is(err, bus.ErrNoReceiver) {
		r.tb.Fatal(err)
	}
}

func TestTooSlow(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newTightRig(t, &Options{QueueMessages: 50, CloseTimeout: patience})
		c := r.login(subprotocol, "42")
		s := r.only()
		r.stall("42", s, 20)
		result := make(chan error, 1)
		var receipt *bus.Receipt
		r.group.Go(func() {
			var err error
			receipt, err = r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.JSON(1))
			result <- err
		})
		eventually(t, "the request is queued", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.awaiting) == 1
		})
		for !s.ended() {
			r.put("42", bus.JSON(1))
		}
		if err := <-result; !errors.Is(err, bus.ErrDropped) || receipt.Deliveries[0].Written != 0 {
			t.Errorf("request = %v, %v, want dropped without a write", receipt, err)
		}
		last := c.expectClose(4008) // now that it reads
		if subprotocol == "" && last["code"] != "overloaded" {
			t.Errorf("last frame = %v", last)
		}
		if n := counterOf(r.gateway.metrics.slowClients); n != 1 {
			t.Errorf("%v slow clients counted", n)
		}
		eventually(t, "nothing is held", func() bool { return r.gateway.budget.used.Load() == 0 })
	})
}

// What a client does not read waits in its session's queue, not in the kernel, which would take megabytes and let nothing overtake them.
func TestUnreadStaysInTheQueue(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux is asked to hold little")
	}
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		r.tight = true // the client alone
		r.login(subprotocol, "42")
		s := r.only()
		body, sent := bus.JSON(strings.Repeat("x", 4<<10)), 0
		for ; s.waiting() < 20; sent++ {
			r.put("42", body)
		}
		if kernels := (sent - 20) * 4 << 10; kernels > 4*unsentMost {
			t.Errorf("the kernels hold %d bytes, want %d and some", kernels, unsentMost)
		}
	})
}

func TestVolatile(t *testing.T) {
	r := newTightRig(t, &Options{VolatileQueue: 3})
	c := r.login("", "42")
	s := r.only()
	r.stall("42", s, 20) // of which the kernels may still take some
	receipt, err := r.publisher.Request(r.ctx(), bus.User("42"), "volatile", bus.JSON(1), bus.Volatile())
	if !errors.Is(err, bus.ErrDropped) || receipt.Elapsed > time.Second {
		t.Fatalf("request = %v, %v, want dropped at once", receipt, err)
	}
	r.answer(c, 1, func(f fields) {
		if f["event"] == "volatile" && f["ack"] == true && f["data"] == 1.0 {
			t.Errorf("what was dropped was written: %v", f)
		}
	})
	eventually(t, "the client has caught up", func() bool { return s.waiting() == 0 })
	if _, err := r.publisher.Request(r.ctx(), bus.User("42"), "volatile", bus.JSON(2), bus.Volatile()); err != nil {
		t.Errorf("to a socket that is ready: %v", err)
	}
}

func TestExpiredIsNotWritten(t *testing.T) {
	r := newTightRig(t, nil)
	c := r.login("", "42")
	s := r.only()
	r.stall("42", s, 20)
	ctx, cancel := context.WithTimeout(r.ctx(), 100*time.Millisecond)
	defer cancel()
	receipt, err := r.publisher.Request(ctx, bus.User("42"), "late", bus.JSON(1))
	if !errors.Is(err, bus.ErrExpired) && !errors.Is(err, bus.ErrUnknown) { // unknown: a busy machine took 40 ms to say so
		t.Fatalf("request = %v, %v, want expired", receipt, err)
	}
	done := make(chan struct{})
	r.answer(c, 1, func(f fields) {
		switch f["event"] {
		case "late":
			t.Errorf("written after its time: %v", f)
		case "end":
			close(done)
		}
	})
	if _, err := r.publisher.Request(r.ctx(), bus.User("42"), "end", bus.JSON(1)); err != nil {
		t.Fatal(err)
	}
	<-done
}

func TestWriteTimeout(t *testing.T) {
	r := newTightRig(t, &Options{WriteTimeout: 50 * time.Millisecond, QueueMessages: -1, QueueBytes: -1})
	r.login(SubprotocolJSON, "42")
	r.stall("42", r.only(), 20)
	eventually(t, "the stuck client is gone", func() bool { return len(r.gateway.hub.all()) == 0 })
	if n := counterOf(r.gateway.metrics.disconnects.WithLabelValues("4008")); n != 1 {
		t.Errorf("%v closed as too slow", n)
	}
}

func TestBatchDeadline(t *testing.T) {
	now := time.Now()
	b := &batch{items: []item{{}, {deadline: now.Add(time.Second)}, {deadline: now.Add(time.Minute)}}}
	if got := b.deadline(now, 10*time.Second).Sub(now); got != time.Second+lateWrite {
		t.Errorf("deadline in %v", got)
	}
	if got := b.deadline(now, time.Second).Sub(now); got != time.Second {
		t.Errorf("deadline in %v", got)
	}
}

// TestBudget holds two clients that don't read, of which one has more waiting: it is closed, whichever of them the messages are for that
// are too many.
func TestBudget(t *testing.T) {
	for _, fills := range []string{"large", "small"} {
		t.Run(fills, func(t *testing.T) {
			r := newTightRig(t, &Options{NodeQueueBytes: 400 << 10})
			r.login("", "small")
			small := r.only()
			r.stall("small", small, 10)
			r.login("", "large")
			large := r.gateway.hub.all()[1]
			r.stall("large", large, 65)
			body := bus.JSON(strings.Repeat("x", 4<<10))
			for !r.gateway.budget.over() && !large.ended() && !small.ended() {
				r.put(fills, body)
				if used := r.gateway.budget.used.Load(); used > 500<<10 {
					t.Fatalf("%d bytes are held", used)
				}
			}
			eventually(t, "the client with more waiting is closed", large.ended)
			eventually(t, "there is room again", func() bool { return !r.gateway.budget.over() })
			if small.ended() {
				t.Error("the client with less waiting was closed too")
			}
		})
	}
}

func TestFloodOfPings(t *testing.T) {
	r := newTightRig(t, &Options{QueueMessages: 50})
	c := r.login("", "42")
	s := r.only()
	r.group.Go(func() {
		for c.send(fields{"type": "ping", "ref": strings.Repeat("x", 200)}) == nil {
		}
	})
	eventually(t, "who asks and does not read is too slow", s.ended)
}
