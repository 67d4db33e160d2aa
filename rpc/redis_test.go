package rpc

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// open attaches a node to a real Redis.
func open(t *testing.T, server *redistest.Server, name string) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), server.URL(), &bus.Options{Name: name, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// The whole way over a real Redis: calls of one and of all, an error, a stream, and the listing.
func TestOverRedis(t *testing.T) {
	redis := redistest.Start(t)
	client := clientAt(t, open(t, redis, "caller"))
	for _, name := range []string{"a", "b"} {
		b := open(t, redis, name)
		serveAt(t, b, func(s *Server) {
			tells(b)(s)
			adds(s)
			counts(make(chan error, 1), nil, new(atomic.Int64))(s)
			Handle(s, "fails", func(context.Context, struct{}) (int, error) { return 0, Errorf("no_paper", "tray 2: %w", errTest) })
		})
	}
	ctx := within(t, 30*time.Second)
	until(t, "both are known", func() bool {
		methods, err := client.Methods(ctx)
		return err == nil && len(methods) == 4 && len(methods[0].Instances) == 2
	})
	many(t, 100, func(i int) {
		if sum, err := Call[int](ctx, client, "math.sum", terms{i, 1}); sum != i+1 || err != nil {
			t.Errorf("%d, %v", sum, err)
		}
	})
	answers := 0
	for reply, err := range CallEach[string](ctx, client, "who", struct{}{}) {
		if answers++; err != nil || reply.Value != reply.Node {
			t.Errorf("%+v, %v", reply, err)
		}
	}
	_, err := Call[int](ctx, client, "fails", struct{}{})
	if remote, ok := errors.AsType[*RemoteError](err); !ok || remote.Code != "no_paper" || remote.Causes[0] != "out of paper" {
		t.Errorf("%v", err)
	}
	items := 0
	for i, err := range CallStream[int](ctx, client, "count", 20_000) {
		if err != nil || i != items {
			t.Fatalf("%d, %v; want %d", i, err, items)
		}
		items++
	}
	if answers != 2 || items != 20_000 {
		t.Errorf("%d answers, %d items", answers, items)
	}
}

// A restart of Redis under calls costs time, and no call that has some.
func TestRestartOfRedis(t *testing.T) {
	redis := redistest.Start(t)
	client := clientAt(t, open(t, redis, "caller"))
	b := open(t, redis, "s")
	serveAt(t, b, func(s *Server) {
		Handle(s, "who", func(context.Context, struct{}) (string, error) { return "s", nil }, Idempotent())
	})
	ctx := within(t, 60*time.Second)
	until(t, "it is known", func() bool {
		_, err := Call[string](ctx, client, "who", struct{}{})
		return err == nil
	})
	stop := make(chan struct{})
	var calls atomic.Int64
	g := run.New(t.Context())
	for range 20 {
		g.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := Call[string](ctx, client, "who", struct{}{}); err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	until(t, "calls are under way", func() bool { return calls.Load() > 100 })
	redis.Kill()
	redis.Restart()
	before := calls.Load()
	until(t, "calls go on", func() bool { return calls.Load() > before+1000 })
	close(stop)
	g.Stop()
	g.Wait()
}

// A reader that leaves a stream over a real Redis frees the writer, and a writer whose bus is closed the reader.
func TestStreamsEndOverRedis(t *testing.T) {
	redis := redistest.Start(t)
	b := open(t, redis, "s")
	ended := make(chan error, 2)
	serveAt(t, b, func(s *Server) {
		HandleStream(s, "forever", func(ctx context.Context, _ struct{}) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for i := 0; yield(i, nil); i++ {
				}
				ended <- context.Cause(ctx)
			}
		})
	})
	ctx := within(t, 60*time.Second)
	client := clientAt(t, open(t, redis, "caller")) // a newcomer asks who is there
	for i, err := range CallStream[int](ctx, client, "forever", struct{}{}) {
		if err != nil {
			t.Fatal(err)
		}
		if i == 10_000 {
			break
		}
	}
	if cause := <-ended; cause == nil {
		t.Error("the handler's context had not ended")
	}
	var failed error
	for i, err := range CallStream[int](ctx, client, "forever", struct{}{}) {
		if failed = err; i == 10_000 {
			_ = b.Close()
		}
	}
	if code := CodeOf(failed); code != CodeUnknown && code != CodeUnavailable { // the closing node may come to say so
		t.Errorf("%v", failed)
	}
	<-ended
}
