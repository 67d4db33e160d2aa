package relay_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// A turnstile is a receiver that lets one publisher go on for each result, and counts what arrives.
type turnstile struct {
	done     []chan error // by token - 1
	messages atomic.Int64
	bytes    atomic.Int64
}

func newTurnstile(publishers int) *turnstile {
	s := &turnstile{}
	for range publishers {
		s.done = append(s.done, make(chan error, 1))
	}
	return s
}

func (s *turnstile) Receive(m relay.Message) {
	s.messages.Add(1)
	s.bytes.Add(int64(len(m.Payload)))
}

func (s *turnstile) Published(results []relay.Result) {
	for _, r := range results {
		s.done[r.Token-1] <- r.Err
	}
}

func (s *turnstile) Lane(relay.LaneEvent) {}

// benchSizes are how many packets are in flight at once.
var benchSizes = []int{1, 64, 1024}

const benchPayload = 128

// BenchmarkOutbox publishes to a subscriber in the same process, and waits for each count. ns/op is the time for a packet; at
// 1 in flight it is the round trip.
func BenchmarkOutbox(b *testing.B) {
	for _, channels := range []int{1, 4096} {
		for _, inFlight := range benchSizes {
			b.Run(fmt.Sprintf("channels=%d/inflight=%d", channels, inFlight), func(b *testing.B) { benchOutbox(b, channels, inFlight) })
		}
	}
}

func benchOutbox(b *testing.B, channels, inFlight int) {
	server := redistest.Shared(b)
	prefix := redistest.Prefix(b)
	got := newTurnstile(inFlight)
	r := startRedis(b, server.URL(), &relay.Options{Prefix: prefix}, got)
	names := make([]string, channels)
	for i := range names {
		names[i] = fmt.Sprint(prefix, "c", i)
	}
	release, err := r.Subscribe(b.Context(), relay.Channel{Name: names[0]})
	if err != nil {
		b.Fatal(err)
	}
	defer release()
	payload := make([]byte, benchPayload)
	benchParallel(b, inFlight, func(ctx context.Context, publisher, i int) error {
		p := relay.Packet{Channel: names[(i-1)%channels], Payload: payload, Token: uint64(publisher + 1), Wait: true}
		if err := r.Publish(ctx, p); err != nil {
			return err
		}
		return <-got.done[publisher]
	})
	eventually(b, "messages arrive", func() bool { return got.messages.Load() > 0 })
}

// BenchmarkFloor is a plain PUBLISH with go-redis, a connection for each in flight up to its default pool.
func BenchmarkFloor(b *testing.B) {
	for _, inFlight := range benchSizes {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			server := redistest.Shared(b)
			client, prefix := server.Client(), redistest.Prefix(b)
			got := newTurnstile(0)
			r := startRedis(b, server.URL(), &relay.Options{Prefix: prefix}, got)
			release, err := r.Subscribe(b.Context(), relay.Channel{Name: prefix + "c"})
			if err != nil {
				b.Fatal(err)
			}
			defer release()
			payload := make([]byte, benchPayload)
			benchParallel(b, inFlight, func(ctx context.Context, _, _ int) error {
				return client.Publish(ctx, prefix+"c", payload).Err()
			})
		})
	}
}

// BenchmarkPipelineFloor is one PUBLISH at a time in a pipeline of its own, over one connection of go-redis.
func BenchmarkPipelineFloor(b *testing.B) {
	server := redistest.Shared(b)
	conn := server.Client().Conn()
	payload := make([]byte, benchPayload)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		pipe := conn.Pipeline()
		pipe.Publish(ctx, "floor", payload)
		if _, err := pipe.Exec(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// benchParallel runs b.N publishes with so many in flight.
func benchParallel(b *testing.B, inFlight int, publish func(ctx context.Context, publisher, i int) error) {
	b.Helper()
	var next atomic.Int64
	var publishers sync.WaitGroup
	publishers.Add(inFlight)
	group := run.New(b.Context())
	b.ReportAllocs()
	b.ResetTimer()
	for publisher := range inFlight {
		group.Go(func() {
			defer publishers.Done()
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				if err := publish(group.Context(), publisher, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	publishers.Wait()
	b.StopTimer()
	group.Stop()
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
}
