package rpc

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

func echoes(_ context.Context, r *Request) (bus.Body, error) { return r.Body, nil }

// What is wrong with a registration surfaces from Start, all of it, and nothing is served.
func TestBadRegistrations(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newCluster(t).node("s")
		for says, setUp := range map[string]func(*Server){
			"registered twice":   func(s *Server) { adds(s); adds(s) },
			"1 to 200":           func(s *Server) { s.HandleFunc("", nil) },
			"holds an @":         func(s *Server) { s.HandleFunc("a@b", nil) },
			"begins with":        func(s *Server) { s.HandleFunc("ackbus.x", nil) },
			"not text":           func(s *Server) { s.HandleFunc("a\x00", nil) },
			"Concurrency is -1":  func(s *Server) { s.HandleFunc("m", echoes, Concurrency(-1)) },
			"handler is nil":     func(s *Server) { Handle[int, int](s, "m", nil) },
			"\"f\": the handler": func(s *Server) { s.HandleFunc("f", nil) },
			"\"s\": the handler": func(s *Server) { HandleStream[int, int](s, "s", nil) },
			"the version":        func(s *Server) { s.HandleFunc("m", nil, Version(strings.Repeat("1", 65))) },
			"the description":    func(s *Server) { s.HandleFunc("m", nil, Description("\xff")) },
			"a schema":           func(s *Server) { s.HandleFunc("m", nil, Schema([]byte("{"), nil)) },
		} {
			s, err := NewServer(b, nil)
			if err != nil {
				t.Fatal(err)
			}
			setUp(s)
			if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%v does not say %q", err, says)
			}
			if b.Node().Methods != 0 {
				t.Errorf("%s: %d methods are served", says, b.Node().Methods)
			}
			_ = s.Close()
		}
		if _, err := NewServer(nil, nil); err == nil {
			t.Error("a server without a bus")
		}
		if _, err := NewServer(b, &ServerOptions{Concurrency: -1}); err == nil {
			t.Error("a server without concurrency")
		}
	})
}

// Methods that are registered later are served from the next Start on.
func TestStartAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		s, b := c.server("s", adds)
		settle()
		_, err := Call[string](t.Context(), client, "who", struct{}{})
		wantCode(t, err, CodeUnknownMethod, false)
		tells(b)(s)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(100 * time.Millisecond)
		if who, err := Call[string](t.Context(), client, "who", struct{}{}); who != "s" || err != nil {
			t.Errorf("%q, %v", who, err)
		}
		if n := b.Node().Methods; n != 2 {
			t.Errorf("%d methods are announced", n)
		}
		if err := errors.Join(s.Start(t.Context()), s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		if err := s.Start(t.Context()); err == nil {
			t.Error("a closed server starts")
		}
	})
}

// Start ends with its context, and leaves nothing behind that would be called.
func TestStartThatFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		b := c.node("s")
		s, err := NewServer(b, &ServerOptions{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		adds(s)
		c.hub.Cut(b.Node().ID.String())
		if err := s.Start(within(t, 100*time.Millisecond)); err == nil {
			t.Error("it starts without Redis")
		}
		if b.Node().Methods != 0 {
			t.Error("methods are announced")
		}
		_ = s.Close()
	})
}

// Drain waits for what runs and for what is queued, and callers go elsewhere at once.
func TestDrain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		var done atomic.Int64
		s, b := c.server("s", func(s *Server) {
			Handle(s, "slow", func(context.Context, struct{}) (int, error) {
				<-time.After(100 * time.Millisecond)
				done.Add(1)
				return 1, nil
			}, Concurrency(1))
		})
		settle()
		var failed atomic.Int64
		time.AfterFunc(0, func() {
			many(t, 5, func(int) {
				if _, err := Call[int](t.Context(), client, "slow", struct{}{}); err != nil {
					failed.Add(1)
				}
			})
		})
		pass(50 * time.Millisecond)
		start := time.Now()
		if err := s.Drain(within(t, 10*time.Second)); err != nil {
			t.Error(err)
		}
		if done.Load() != 5 || b.Node().Methods != 0 {
			t.Errorf("%d done, %d methods announced", done.Load(), b.Node().Methods)
		}
		took(t, start, 450*time.Millisecond, 550*time.Millisecond)
		for range 2 { // the client learns with the first call what has changed
			_, err := Call[int](t.Context(), client, "slow", struct{}{})
			wantCode(t, err, CodeUnknownMethod, false)
		}
		pass(time.Second)
		if failed.Load() != 0 {
			t.Errorf("%d calls failed", failed.Load())
		}
	})
}

// Drain ends with its context, whatever runs.
func TestDrainThatTakesTooLong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		ended := make(chan error, 1)
		s, _ := c.server("s", waits(ended))
		settle()
		time.AfterFunc(0, func() { _, _ = Call[int](within(t, 3*time.Second), client, "wait", struct{}{}) })
		pass(50 * time.Millisecond)
		start := time.Now()
		if err := s.Drain(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		took(t, start, time.Second, time.Second)
		<-ended
	})
}

// A handler that ends its goroutine is an error to the caller, and leaves no slot taken.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		s, _ := c.server("s", func(s *Server) {
			Handle(s, "exit", func(context.Context, struct{}) (int, error) {
				runtime.Goexit()
				return 0, nil
			}, Concurrency(1))
		})
		settle()
		for range 3 {
			_, err := Call[int](t.Context(), client, "exit", struct{}{})
			wantCode(t, err, CodeInternal, true)
		}
		if stats, ok := s.Stats("exit"); !ok || stats.InFlight != 0 || stats.Errors != 3 {
			t.Errorf("%+v", stats)
		}
	})
}

// What waits in the queue when its time is over never runs, and its caller knows.
func TestQueuedCallExpires(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		var runs atomic.Int64
		c.server("s", func(s *Server) {
			Handle(s, "slow", func(context.Context, struct{}) (int, error) {
				runs.Add(1)
				<-time.After(time.Second)
				return 1, nil
			}, Concurrency(1))
		})
		settle()
		time.AfterFunc(0, func() { _, _ = Call[int](t.Context(), client, "slow", struct{}{}) })
		pass(100 * time.Millisecond)
		_, err := Call[int](within(t, 300*time.Millisecond), client, "slow", struct{}{})
		if CodeOf(err) != CodeTimeout {
			t.Errorf("%v", err)
		}
		pass(3 * time.Second)
		if runs.Load() != 1 {
			t.Errorf("it ran %d times", runs.Load())
		}
	})
}

func TestStats(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		s, _ := c.server("s", func(s *Server) {
			Handle(s, "m", func(_ context.Context, ms int) (int, error) {
				<-time.After(time.Duration(ms) * time.Millisecond)
				if ms == 0 {
					return 0, errTest
				}
				return 1, nil
			})
		})
		settle()
		for i := range 100 {
			ms := 10
			if i >= 98 {
				ms = 500
			}
			if _, err := Call[int](t.Context(), client, "m", ms); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = Call[int](t.Context(), client, "m", 0)
		stats, ok := s.Stats("m")
		if !ok || stats.Calls != 101 || stats.Errors != 1 || stats.InFlight != 0 {
			t.Errorf("%+v", stats)
		}
		if stats.P50.Round(time.Millisecond) != 10*time.Millisecond || stats.P99.Round(10*time.Millisecond) != 500*time.Millisecond {
			t.Errorf("%+v", stats)
		}
		pass(5 * time.Minute)
		if stats, _ := s.Stats("m"); stats.Calls != 101 || stats.P99 != 0 {
			t.Errorf("minutes later: %+v", stats)
		}
		if _, ok := s.Stats("absent"); ok {
			t.Error("stats of nothing")
		}
	})
}

// Of two servers' methods at two nodes of one process each is called where it is.
func TestCallOfOwnNode(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		b := c.node("both")
		serveAt(t, b, tells(b))
		client := clientAt(t, b)
		settle()
		var receipt *bus.Receipt
		who, err := Call[string](t.Context(), client, "who", struct{}{}, Trace(&receipt))
		if who != "both" || err != nil || receipt.Nodes != 1 {
			t.Errorf("%q, %v, %v", who, err, receipt)
		}
	})
}

// A server in the place of another at the same node is known by what it serves.
func TestServerAfterServer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		s, b := c.server("s", adds)
		settle()
		if _, err := Call[int](t.Context(), client, "math.sum", terms{}); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		serveAt(t, b, tells(b))
		pass(100 * time.Millisecond)
		_, err := Call[int](t.Context(), client, "math.sum", terms{})
		wantCode(t, err, CodeUnknownMethod, false)
		if who, err := Call[string](t.Context(), client, "who", struct{}{}); who != "s" || err != nil {
			t.Errorf("%q, %v", who, err)
		}
	})
}

// Two servers at one bus would both run each call, so the second is refused, and its end takes nothing from the first.
func TestServerBesideServer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		_, b := c.server("s", adds)
		second, err := NewServer(b, &ServerOptions{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		adds(second)
		if err := second.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "another server") {
			t.Errorf("%v", err)
		}
		_ = second.Close()
		settle()
		if sum, err := Call[int](t.Context(), client, "math.sum", terms{1, 2}); sum != 3 || err != nil {
			t.Errorf("%d, %v", sum, err)
		}
	})
}
