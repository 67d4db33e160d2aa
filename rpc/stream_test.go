package rpc

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// counts serves count, which yields 0 to n-1 and then the error that fail is, and tells in ended why it was stopped.
func counts(ended chan<- error, fail error, yielded *atomic.Int64) func(*Server) {
	return func(s *Server) {
		HandleStream(s, "count", func(ctx context.Context, n int) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for i := range n {
					if !yield(i, nil) {
						ended <- context.Cause(ctx)
						return
					}
					yielded.Add(1)
				}
				if fail != nil {
					yield(0, fail)
				}
			}
		})
	}
}

func TestStream(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		var yielded atomic.Int64
		s, _ := c.server("s", counts(make(chan error, 1), nil, &yielded))
		settle()
		for _, n := range []int{0, 1, 3, 5000} {
			want := 0
			var receipt *bus.Receipt
			for i, err := range CallStream[int](t.Context(), client, "count", n, Trace(&receipt)) {
				if err != nil || i != want {
					t.Fatalf("%d, %v; want %d", i, err, want)
				}
				want++
			}
			if want != n || receipt == nil || receipt.Outcome != bus.OutcomeConfirmed {
				t.Errorf("%d items, want %d; %v", want, n, receipt)
			}
		}
		for item, err := range client.CallStream(t.Context(), "count", bus.JSON(1)) {
			if item.Format() != bus.FormatJSON || string(item.Raw()) != "0" || err != nil {
				t.Errorf("%s, %v", item.Raw(), err)
			}
		}
		if stats, _ := s.Stats("count"); stats.Calls != 5 || stats.Errors != 0 || stats.InFlight != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

// What was yielded before an error comes before the error.
func TestStreamThatFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		c.server("s", counts(make(chan error, 1), Errorf(CodeNotFound, "no more"), new(atomic.Int64)))
		settle()
		items, failed := 0, error(nil)
		for _, err := range CallStream[int](t.Context(), client, "count", 1000) {
			if err != nil {
				failed = err
				continue
			}
			items++
		}
		if items != 1000 || CodeOf(failed) != CodeNotFound || !IsRemote(failed) {
			t.Errorf("%d items, %v", items, failed)
		}
	})
}

// A slow reader slows the writer, and what waits is bounded.
func TestSlowReaderSlowsWriter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		var yielded atomic.Int64
		c.server("s", counts(make(chan error, 1), nil, &yielded))
		settle()
		read := int64(0)
		for _, err := range CallStream[int](t.Context(), client, "count", 20_000) {
			if err != nil {
				t.Fatal(err)
			}
			if read++; read%1000 == 0 {
				pass(time.Second)
				if ahead := yielded.Load() - read; ahead > 4*batchItems {
					t.Fatalf("the writer is %d items ahead", ahead)
				}
			}
		}
		if read != 20_000 {
			t.Errorf("%d items", read)
		}
	})
}

// A call goes to methods that answer once, a stream to those that stream, and the other way round is refused before it is sent.
func TestStreamsAndCallsAreToldApart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		_, b := c.server("s", func(s *Server) {
			adds(s)
			counts(make(chan error, 1), nil, new(atomic.Int64))(s)
			s.HandleFunc("raw", func(_ context.Context, r *Request) (bus.Body, error) { return r.Body, nil })
		})
		settle()
		_, err := Call[int](t.Context(), client, "count", 3)
		wantCode(t, err, CodeBadRequest, false)
		for _, err := range CallStream[int](t.Context(), client, "math.sum", terms{}) {
			wantCode(t, err, CodeBadRequest, false)
		}
		for _, err := range CallEach[int](t.Context(), client, "count", 3) {
			wantCode(t, err, CodeBadRequest, false)
		}
		for _, err := range CallStream[int](t.Context(), client, "absent", 3) {
			wantCode(t, err, CodeUnknownMethod, false)
		}
		// Whoever does not look before sending is refused by the server.
		for _, method := range []string{"count", "raw", "math.sum"} {
			var opts []bus.RequestOption
			if method != "count" {
				opts = append(opts, bus.WithHeader(itemsHeader, "1"))
			}
			_, err := client.bus.Request(t.Context(), bus.MethodAt(method, b.Node().ID), method, bus.JSON(3), opts...)
			refusal, ok := errors.AsType[*bus.ReceiptError](err)
			if !ok || refusal.Receipt.Deliveries[0].Error.Code != string(CodeBadRequest) {
				t.Errorf("%s: %v", method, err)
			}
		}
	})
}

// A million small items pass at a steady memory.
func TestMillionItems(t *testing.T) {
	if testing.Short() {
		t.Skip("a million items take seconds under the race detector")
	}
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		c.server("s", counts(make(chan error, 1), nil, new(atomic.Int64)))
		settle()
		const n = 1_000_000
		var heaps []uint64
		want := 0
		for i, err := range CallStream[int](t.Context(), client, "count", n) {
			if err != nil || i != want {
				t.Fatalf("%d, %v; want %d", i, err, want)
			}
			if want++; want%100_000 == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				heaps = append(heaps, m.HeapAlloc)
			}
		}
		if want != n {
			t.Errorf("%d items", want)
		}
		if least, most := slices.Min(heaps), slices.Max(heaps); most > least+4<<20 {
			t.Errorf("the heap went from %d to %d bytes", least, most)
		}
	})
}

// An item that is larger than a batch goes alone; one that is larger than a message ends the stream.
func TestLargeItems(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		c.server("s", func(s *Server) {
			HandleStream(s, "large", func(_ context.Context, sizes []int) iter.Seq2[bus.Body, error] {
				return func(yield func(bus.Body, error) bool) {
					for _, n := range sizes {
						if !yield(bus.Bytes(make([]byte, n)), nil) {
							return
						}
					}
				}
			})
		})
		settle()
		sizes := []int{10, batchBytes + 1, 0, 500_000, batchBytes - 1, 3, 2 << 20}
		read := 0
		var failed error
		for item, err := range CallStream[bus.Body](t.Context(), client, "large", sizes) {
			if failed = err; err != nil {
				break
			}
			if len(item.Raw()) != sizes[read] {
				t.Errorf("item %d has %d bytes, want %d", read, len(item.Raw()), sizes[read])
			}
			read++
		}
		if read != len(sizes)-1 || CodeOf(failed) != CodeTooLarge {
			t.Errorf("%d items, %v", read, failed)
		}
	})
}
