package rpc

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// Where instances differ, as in a rolling change, what the one says that may have run the call decides whether another may.
func TestIdempotentByTheInstance(t *testing.T) {
	for _, declared := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			c := newCluster(t)
			client, release := c.client(), make(chan struct{})
			var runs atomic.Int64
			serve := func(name string, dies bool, opts ...MethodOption) *bus.Bus {
				b := c.node(name)
				serveAt(t, b, func(s *Server) {
					Handle(s, "m", func(ctx context.Context, waits bool) (string, error) {
						if waits {
							<-release
							return name, nil
						}
						runs.Add(1)
						if dies {
							c.hub.Kill(b.Node().ID.String())
							<-ctx.Done()
						}
						return name, nil
					}, opts...)
				})
				return b
			}
			if declared {
				serve("a", true, Idempotent())
				serve("b", false)
			} else {
				serve("a", true)
				serve("b", false, Idempotent())
			}
			settle()
			busy := make(chan error, 1)
			time.AfterFunc(0, func() {
				_, err := Call[string](within(t, 20*time.Second), client, "m", true, OnNode("b"))
				busy <- err
			})
			pass(100 * time.Millisecond)
			who, err := Call[string](within(t, 10*time.Second), client, "m", false) // a has none of its calls in flight, so it comes first
			if declared {
				if who != "b" || err != nil || runs.Load() != 2 {
					t.Errorf("%q, %v after %d runs; want the second run's result", who, err, runs.Load())
				}
			} else if wantCode(t, err, CodeUnknown, true); runs.Load() != 1 {
				t.Errorf("%d runs of what may run once", runs.Load())
			}
			close(release)
			if err := <-busy; err != nil {
				t.Error(err)
			}
		})
	}
}

// An instance that is full with the calls of others refuses, and the call goes on to one that has room.
func TestFullInstanceCostsOneHop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, other, release := c.client(), c.client(), make(chan struct{})
		for _, name := range []string{"a", "b"} {
			serveAt(t, c.node(name), func(s *Server) {
				Handle(s, "m", func(_ context.Context, waits bool) (string, error) {
					if waits {
						<-release
					}
					return name, nil
				}, Concurrency(1), Queue(-1))
			})
		}
		settle()
		busy := make(chan error, 1)
		time.AfterFunc(0, func() { // which the first client knows nothing of
			_, err := Call[string](within(t, 20*time.Second), other, "m", true, OnNode("a"))
			busy <- err
		})
		pass(100 * time.Millisecond)
		for range 20 {
			start := time.Now()
			if who, err := Call[string](within(t, 5*time.Second), client, "m", false); err != nil || who != "b" {
				t.Errorf("%q, %v; want it answered by b", who, err)
			}
			took(t, start, 0, 50*time.Millisecond)
		}
		close(release)
		if err := <-busy; err != nil {
			t.Error(err)
		}
	})
}
