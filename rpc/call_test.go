package rpc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

func TestCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		_, b := c.server("adder", adds)
		settle()
		var receipt *bus.Receipt
		sum, err := Call[int](t.Context(), client, "math.sum", terms{1, 2}, Trace(&receipt))
		if sum != 3 || err != nil {
			t.Fatalf("%d, %v", sum, err)
		}
		if receipt == nil || receipt.Deliveries[0].NodeID != b.Node().ID || receipt.Deliveries[0].Node != "adder" || receipt.Elapsed <= 0 {
			t.Errorf("receipt: %v", receipt)
		}
	})
}

// A client of a program that has just started waits for what it does not know yet, and no longer.
func TestCallFromNewcomer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.server("adder", adds)
		settle()
		client := c.client()
		start := time.Now()
		if sum, err := Call[int](t.Context(), client, "math.sum", terms{1, 2}); sum != 3 || err != nil {
			t.Fatalf("%d, %v", sum, err)
		}
		took(t, start, 0, 100*time.Millisecond)
	})
}

// The reply takes the form of the request.
func TestBodiesAndFormats(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		c.server("s", func(s *Server) {
			adds(s)
			s.HandleFunc("echo", func(_ context.Context, r *Request) (bus.Body, error) { return r.Body, nil })
			Handle(s, "tomorrow", func(_ context.Context, day time.Time) (time.Time, error) { return day.AddDate(0, 0, 1), nil })
			Handle(s, "any", func(_ context.Context, v any) (any, error) { return v, nil })
		})
		settle()
		reply, err := client.Call(t.Context(), "math.sum", bus.JSON(map[string]int{"a": 1, "b": 2}))
		if reply.Format() != bus.FormatJSON || string(reply.Raw()) != "3" || err != nil {
			t.Errorf("%s, %v", reply.Raw(), err)
		}
		reply, err = client.Call(t.Context(), "math.sum", bus.Msgpack(map[string]int{"a": 1, "b": 2}))
		if reply.Format() != bus.FormatMsgpack || err != nil {
			t.Errorf("format %v, %v", reply.Format(), err)
		}
		reply, err = client.Call(t.Context(), "echo", bus.Bytes([]byte("raw")))
		if reply.Format() != bus.FormatRaw || string(reply.Raw()) != "raw" || err != nil {
			t.Errorf("%s, %v", reply.Raw(), err)
		}
		day := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
		if next, err := Call[time.Time](t.Context(), client, "tomorrow", day); !next.Equal(day.AddDate(0, 0, 1)) || err != nil {
			t.Errorf("%v, %v", next, err)
		}
		v, err := Call[map[string]any](t.Context(), client, "any", map[string]any{"n": 300, "s": "x"})
		if v["n"] != uint64(300) || v["s"] != "x" || err != nil {
			t.Errorf("%v, %v", v, err)
		}
		if body, err := Call[bus.Body](t.Context(), client, "math.sum", bus.JSON(terms{2, 2})); string(body.Raw()) != "4" || err != nil {
			t.Errorf("%s, %v", body.Raw(), err)
		}
		reply, err = client.Call(t.Context(), "math.sum", bus.Body{}) // from HTTP, say: what JSON alone can tell is to come through
		if reply.Format() != bus.FormatJSON || string(reply.Raw()) != "0" || err != nil {
			t.Errorf("without an argument: %s, %v", reply.Raw(), err)
		}
	})
}

// A method that nobody serves is answered at once, with the names that are near.
func TestUnknownMethod(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		c.server("adder", adds)
		settle()
		if _, err := Call[int](t.Context(), client, "math.sum", terms{}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err := Call[int](t.Context(), client, "math.smu", terms{})
		took(t, start, 0, 0)
		wantCode(t, err, CodeUnknownMethod, false)
		_, message, details := Explain(err)
		var meant struct{ Near []string }
		e := details.Decode(&meant)
		if e != nil || !slices.Equal(meant.Near, []string{"math.sum"}) || !strings.Contains(message, "math.sum") {
			t.Errorf("%q, %v, %v", message, meant, e)
		}
		if IsRemote(err) {
			t.Error("nobody remote said so")
		}
	})
}

// Whoever asks first, before the members are known, waits for them.
func TestUnknownMethodOfNewcomer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.server("adder", adds)
		client := c.client()
		start := time.Now()
		_, err := Call[int](t.Context(), client, "absent", terms{})
		wantCode(t, err, CodeUnknownMethod, false)
		took(t, start, 0, 2*time.Second)
	})
}

func TestBadMethodNames(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		client := newCluster(t).client()
		for _, name := range []string{"", "a@b", "a\nb", "\xff", "ackbus.describe", strings.Repeat("n", 201)} {
			_, err := client.Call(t.Context(), name, bus.Body{})
			wantCode(t, err, CodeBadRequest, false)
		}
	})
}

// A caller that gives up, and one whose time is over, learn so by code, and know that the method may have run.
func TestGivingUpAndTimeOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		ended := make(chan error, 2)
		c.server("waiter", waits(ended))
		settle()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := Call[int](ctx, client, "wait", struct{}{})
		took(t, start, time.Second, time.Second)
		wantCode(t, err, CodeCancelled, true)
		if cause := <-ended; !errors.Is(cause, bus.ErrGivenUp) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", cause, err)
		}
		took(t, start, time.Second, 1100*time.Millisecond)
		_, err = Call[int](within(t, time.Second), client, "wait", struct{}{})
		wantCode(t, err, CodeTimeout, true)
		if cause := <-ended; !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("%v", cause)
		}
		_, err = Call[int](ctx, client, "wait", struct{}{})
		wantCode(t, err, CodeCancelled, false)
	})
}

// A deadline that comes before the instance could say a word is no silence of it.
func TestShortDeadlines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		ended := make(chan error, 100)
		c.server("waiter", waits(ended))
		client := c.client()
		settle()
		if _, err := client.Methods(t.Context()); err != nil {
			t.Fatal(err)
		}
		for d := time.Millisecond; d < 40*time.Millisecond; d += time.Millisecond {
			start := time.Now()
			if _, err := Call[int](within(t, d), client, "wait", struct{}{}); CodeOf(err) != CodeTimeout {
				t.Errorf("within %v: %v", d, err)
			}
			took(t, start, d, d+50*time.Millisecond)
		}
	})
}

// A call has one deadline, however many instances it tries, and the client's where its context has none.
func TestTimeoutOfClient(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.server("waiter", waits(make(chan error, 1)))
		client, err := NewClient(c.node("caller"), &ClientOptions{Timeout: 300 * time.Millisecond, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		settle()
		start := time.Now()
		_, err = Call[int](context.WithoutCancel(t.Context()), client, "wait", struct{}{})
		wantCode(t, err, CodeTimeout, true)
		took(t, start, 300*time.Millisecond, 350*time.Millisecond)
		c.node("mute").Serve(1, 1) // it does not say what it serves, so a method that nobody knows may be its
		pass(10 * time.Millisecond)
		start = time.Now()
		_, err = Call[int](context.WithoutCancel(t.Context()), client, "absent", struct{}{})
		wantCode(t, err, CodeTimeout, false)
		took(t, start, 300*time.Millisecond, 350*time.Millisecond)
		for _, bad := range []time.Duration{-1, bus.MaxTimeout + 1} {
			if _, err := NewClient(c.node("other"), &ClientOptions{Timeout: bad}); err == nil {
				t.Errorf("a timeout of %v is taken", bad)
			}
		}
		if _, err := NewClient(nil, nil); err == nil {
			t.Error("a client without a bus")
		}
	})
}

// What an interceptor makes again is the same call, and has no more time.
func TestTimeoutOfRetries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		var runs atomic.Int64
		c.server("moody", func(s *Server) {
			Handle(s, "moody", func(context.Context, struct{}) (int, error) {
				runs.Add(1)
				<-time.After(50 * time.Millisecond)
				return 0, Errorf(CodeUnavailable, "not now")
			}, Idempotent())
		})
		client, err := NewClient(c.node("caller"), &ClientOptions{Timeout: 300 * time.Millisecond, Logger: quiet,
			Interceptors: []Interceptor{Retry(100, time.Millisecond)}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		settle()
		start := time.Now()
		_, err = Call[int](context.WithoutCancel(t.Context()), client, "moody", struct{}{})
		took(t, start, 100*time.Millisecond, 350*time.Millisecond)
		if code := CodeOf(err); code != CodeUnavailable && code != CodeTimeout || runs.Load() < 3 { // the last may have been cut short
			t.Errorf("%v after %d runs", err, runs.Load())
		}
	})
}

// The end of a caller's context ends those of the calls that its handlers made, within 100 ms and through two of them.
func TestCancellingTravelsThroughNestedCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		ended := make(chan error, 1)
		c.server("last", waits(ended))
		for _, hop := range []struct{ name, next string }{{"second", "wait"}, {"first", "second"}} {
			b := c.node(hop.name)
			inner := clientAt(t, b)
			serveAt(t, b, func(s *Server) {
				Handle(s, hop.name, func(ctx context.Context, in struct{}) (int, error) { return Call[int](ctx, inner, hop.next, in) })
			})
		}
		settle()
		ctx, cancel := context.WithCancel(t.Context())
		var gaveUp time.Time
		time.AfterFunc(300*time.Millisecond, func() { gaveUp = time.Now(); cancel() })
		_, err := Call[int](ctx, client, "first", struct{}{})
		wantCode(t, err, CodeCancelled, true)
		<-ended
		took(t, gaveUp, 0, 100*time.Millisecond)
		var deadline time.Duration
		c.server("clock", func(s *Server) {
			Handle(s, "left", func(ctx context.Context, _ struct{}) (int, error) {
				at, _ := ctx.Deadline()
				deadline = time.Until(at)
				return 0, nil
			})
		})
		pass(time.Second)
		_, err = Call[int](within(t, time.Second), client, "left", struct{}{})
		if err != nil || deadline <= 900*time.Millisecond || deadline > time.Second {
			t.Errorf("%v left, %v", deadline, err)
		}
	})
}

func TestHeaders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		c.server("s", func(s *Server) {
			Handle(s, "user", func(ctx context.Context, _ struct{}) (string, error) {
				ctx, cancel := context.WithCancel(ctx) // what descends from the context finds the request, too
				defer cancel()
				r := RequestFrom(ctx)
				if r.From != client.bus.Node().ID || !r.Incoming || r.Method != "user" {
					t.Errorf("%+v", r)
				}
				return r.Headers["user"], nil
			})
		})
		settle()
		if user, err := Call[string](t.Context(), client, "user", struct{}{}, WithHeader("user", "42")); user != "42" || err != nil {
			t.Errorf("%q, %v", user, err)
		}
		if RequestFrom(t.Context()) != nil {
			t.Error("a request where there is none")
		}
	})
}

func TestClosedClientAndBus(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.server("adder", adds)
		b := c.node("caller")
		client := clientAt(t, b)
		settle()
		if _, err := Call[int](t.Context(), client, "math.sum", terms{}); err != nil {
			t.Fatal(err)
		}
		_, err := Call[int](t.Context(), client, "math.sum", func() {})
		wantCode(t, err, CodeBadRequest, false)
		_, err = client.Call(t.Context(), "math.sum", bus.Bytes(make([]byte, 2<<20)))
		wantCode(t, err, CodeTooLarge, false)
		_ = b.Close()
		_, err = Call[int](t.Context(), client, "math.sum", terms{})
		wantCode(t, err, CodeUnavailable, false)
		_ = client.Close()
		_ = client.Close()
		for _, err := range CallEach[int](t.Context(), client, "math.sum", terms{}) {
			wantCode(t, err, CodeUnavailable, false)
		}
	})
}
