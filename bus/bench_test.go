package bus

import (
	"context"
	"log/slog"
	"testing"

	"github.com/ackbus/ackbus/internal/redistest"
)

// BenchmarkRequest measures a request to a handler at another node of the same process, over a real Redis.
func BenchmarkRequest(b *testing.B) {
	server := redistest.Start(b)
	open := func(name string) *Bus {
		n, err := Open(context.Background(), server.URL(), &Options{Name: name, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = n.Close() })
		return n
	}
	from, at := open("from"), open("at")
	body := Bytes(make([]byte, 128))
	echo := func(context.Context, *Message) (Body, error) { return body, nil }
	if _, err := at.Subscribe(b.Context(), Topic("bench"), echo); err != nil {
		b.Fatal(err)
	}
	for _, flight := range []struct {
		name string
		n    int
	}{{"1", 1}, {"64", 32}, {"1024", 512}} {
		b.Run(flight.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(flight.n)
			if flight.n == 1 {
				for b.Loop() {
					if _, err := from.Request(b.Context(), Topic("bench"), "e", body); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := from.Request(context.Background(), Topic("bench"), "e", body); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
