package rpc

import (
	"context"
	"testing"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/redistest"
)

// BenchmarkCall measures calls between two nodes of one process over a real Redis, with the bus's bare request beside them.
func BenchmarkCall(b *testing.B) {
	server := redistest.Start(b)
	open := func(name string) *bus.Bus {
		n, err := bus.Open(context.Background(), server.URL(), &bus.Options{Name: name, Logger: quiet})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = n.Close() })
		return n
	}
	from, at := open("from"), open("at")
	body := bus.Bytes(make([]byte, 128))
	answers := func(context.Context, *bus.Message) (bus.Body, error) { return body, nil }
	if _, err := at.Subscribe(b.Context(), bus.MethodAt("bare", at.Node().ID), answers, bus.Concurrency(64)); err != nil {
		b.Fatal(err)
	}
	s, err := NewServer(at, nil)
	if err != nil {
		b.Fatal(err)
	}
	s.HandleFunc("echo", func(_ context.Context, r *Request) (bus.Body, error) { return r.Body, nil })
	Handle(s, "typed", func(_ context.Context, in terms) (terms, error) { return in, nil })
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	client, err := NewClient(from, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = client.Close(), s.Close() })
	bare := bus.MethodAt("bare", at.Node().ID)
	for _, kind := range []struct {
		name string
		once func(ctx context.Context) error
	}{
		{"request", func(ctx context.Context) error {
			_, err := from.Request(ctx, bare, "bare", body)
			return err
		}},
		{"call", func(ctx context.Context) error {
			_, err := client.Call(ctx, "echo", body)
			return err
		}},
		{"typed", func(ctx context.Context) error {
			_, err := Call[terms](ctx, client, "typed", terms{1, 2})
			return err
		}},
	} {
		for _, flight := range []struct {
			name string
			n    int
		}{{"1", 1}, {"64", 32}, {"1024", 512}} {
			b.Run(kind.name+"/"+flight.name, func(b *testing.B) { measure(b, flight.n, kind.once) })
		}
	}
}

func measure(b *testing.B, parallel int, once func(context.Context) error) {
	b.Helper()
	b.ReportAllocs()
	ctx := context.Background()
	if parallel == 1 {
		for b.Loop() {
			if err := once(ctx); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	b.SetParallelism(parallel)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := once(ctx); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
