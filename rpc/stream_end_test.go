package rpc

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// ticks serves tick, which yields a number every 10 ms, or one and then nothing, and tells in ended why it was stopped.
func ticks(ended chan<- error, idle bool) func(*Server) {
	return func(s *Server) {
		HandleStream(s, "tick", func(ctx context.Context, _ struct{}) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for i := 0; yield(i, nil); i++ {
					if idle {
						<-ctx.Done()
						break
					}
					<-time.After(10 * time.Millisecond)
				}
				ended <- context.Cause(ctx)
			}
		})
	}
}

// The reader notices within a second that the writer has died, also while nothing is yielded.
func TestWriterDies(t *testing.T) {
	for _, idle := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			c := newCluster(t)
			client := c.client()
			ended := make(chan error, 1)
			_, b := c.server("s", ticks(ended, idle))
			settle()
			var died time.Time
			time.AfterFunc(time.Second, func() { died = time.Now(); c.hub.Kill(b.Node().ID.String()) })
			var failed error
			for _, err := range CallStream[int](t.Context(), client, "tick", struct{}{}) {
				failed = err
			}
			took(t, died, 0, time.Second)
			wantCode(t, failed, CodeUnknown, true)
			<-ended // the goroutines of a killed node live on
		})
	}
}

// And the writer that the reader has.
func TestReaderDies(t *testing.T) {
	for _, idle := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			c := newCluster(t)
			client := c.client()
			ended := make(chan error, 1)
			c.server("s", ticks(ended, idle))
			settle()
			var died time.Time
			time.AfterFunc(time.Second, func() { died = time.Now(); c.hub.Kill(client.bus.Node().ID.String()) })
			gone := make(chan struct{})
			time.AfterFunc(0, func() {
				defer close(gone)
				for range CallStream[int](within(t, 5*time.Second), client, "tick", struct{}{}) { // until the dead node's own time is over
				}
			})
			cause := <-ended
			took(t, died, 0, time.Second)
			if idle && !errors.Is(cause, errCallerDied) || cause == nil {
				t.Errorf("%v", cause)
			}
			<-gone
		})
	}
}

// A reader that leaves stops the writer.
func TestReaderLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		ended := make(chan error, 1)
		c.server("s", counts(ended, nil, new(atomic.Int64)))
		settle()
		read := 0
		for range CallStream[int](t.Context(), client, "count", 1_000_000_000) {
			if read++; read == 5000 {
				break
			}
		}
		start := time.Now()
		cause := <-ended
		took(t, start, 0, 100*time.Millisecond)
		if !errors.Is(cause, bus.ErrGivenUp) && !errors.Is(cause, errReaderLeft) {
			t.Errorf("%v", cause)
		}
	})
}

// A stream that goes to another instance, being idempotent, does so only before its first item.
func TestStreamIsNotRepeatedOnceBegun(t *testing.T) {
	for _, begun := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			c := newCluster(t)
			var runs atomic.Int64
			client, _, _ := trio(t, c, func(b *bus.Bus, s *Server) {
				HandleStream(s, "m", func(ctx context.Context, _ struct{}) iter.Seq2[string, error] {
					return func(yield func(string, error) bool) {
						if runs.Add(1) > 1 {
							yield(b.Node().Name, nil)
							return
						}
						if begun {
							yield(b.Node().Name, nil)
							<-time.After(100 * time.Millisecond)
						}
						c.hub.Kill(b.Node().ID.String())
						<-ctx.Done()
					}
				}, Idempotent())
			})
			var failed error
			items := 0
			for _, err := range CallStream[string](t.Context(), client, "m", struct{}{}) {
				if failed = err; err == nil {
					items++
				}
			}
			if begun && (CodeOf(failed) != CodeUnknown || runs.Load() != 1 || items != 1) {
				t.Errorf("begun: %v after %d runs, %d items", failed, runs.Load(), items)
			}
			if !begun && (failed != nil || runs.Load() != 2 || items != 1) {
				t.Errorf("not begun: %v after %d runs, %d items", failed, runs.Load(), items)
			}
		})
	}
}

// Close ends a stream however slowly it is read, and a Drain that it outlasts ends in its time.
func TestServerEndsStreams(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Server){
		"close": func(_ *testing.T, s *Server) { _ = s.Close() },
		"drain": func(t *testing.T, s *Server) {
			t.Helper()
			if err := s.Drain(within(t, 500*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		},
	} {
		inBubble(t, func(t *testing.T) {
			c := newCluster(t)
			client := c.client()
			ended := make(chan error, 1)
			s, _ := c.server("s", counts(ended, nil, new(atomic.Int64)))
			settle()
			closed := make(chan time.Duration, 1)
			time.AfterFunc(time.Second, func() {
				start := time.Now()
				end(t, s)
				closed <- time.Since(start)
			})
			var failed error
			for _, err := range CallStream[int](t.Context(), client, "count", 1_000_000) {
				failed = err
				<-time.After(10 * time.Millisecond)
			}
			wantCode(t, failed, CodeDraining, true)
			if took := <-closed; took > 600*time.Millisecond {
				t.Errorf("%s took %v", name, took)
			}
			if cause := <-ended; CodeOf(cause) != CodeDraining {
				t.Errorf("the handler's context ended because of %v", cause)
			}
		})
	}
}

// The loop that reads a stream, or the answers of all, may close its client.
func TestCloseInTheLoop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		ended := make(chan error, 1)
		trio(t, c, func(_ *bus.Bus, s *Server) { counts(ended, nil, new(atomic.Int64))(s) })
		var failed error
		client := c.client()
		for i, err := range CallStream[int](t.Context(), client, "count", 1_000_000) {
			if failed = err; i == 1000 {
				_ = client.Close()
			}
		}
		wantCode(t, failed, CodeCancelled, true)
		if cause := <-ended; cause == nil {
			t.Error("the handler's context has not ended")
		}
		client = c.client()
		var answers int
		for _, err := range CallEach[string](t.Context(), client, "who", struct{}{}) {
			if failed = err; err == nil {
				answers++
			}
			_ = client.Close()
		}
		wantCode(t, failed, CodeCancelled, true)
		if answers == 0 || answers == 3 {
			t.Errorf("%d answers", answers)
		}
	})
}

// A stream outlives what a call may take, and ends by the deadline of its context.
func TestDeadlineOfAStream(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		c.server("s", func(s *Server) {
			HandleStream(s, "slow", func(ctx context.Context, _ struct{}) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					for i := 0; ctx.Err() == nil && yield(i, nil); i++ {
						<-time.After(time.Second)
					}
				}
			})
		})
		settle()
		read := 0
		var failed error
		start := time.Now()
		for _, err := range CallStream[int](within(t, 30*time.Second+500*time.Millisecond), client, "slow", struct{}{}) {
			if failed = err; err == nil {
				read++
			}
		}
		took(t, start, 30*time.Second, 31*time.Second)
		if read != 31 || CodeOf(failed) != CodeTimeout {
			t.Errorf("%d items, %v", read, failed)
		}
	})
}
