package rpc

import (
	"context"
	"iter"
	"testing"
	"time"
)

// A reader that leaves stops the writer at once, also one that has nothing to yield, and does not wait for it itself.
func TestReaderLeavesAnIdleWriter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		ended := make(chan error, 1)
		c.server("s", func(s *Server) {
			HandleStream(s, "once", func(ctx context.Context, _ struct{}) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					yield(1, nil)
					<-ctx.Done()
					ended <- context.Cause(ctx)
				}
			})
		})
		settle()
		var left time.Time
		for item, err := range CallStream[int](t.Context(), client, "once", struct{}{}) {
			if item != 1 || err != nil {
				t.Errorf("%d, %v", item, err)
			}
			pass(time.Second)
			left = time.Now()
			break
		}
		took(t, left, 0, 100*time.Millisecond)
		if cause := <-ended; cause == nil {
			t.Error("its context has no cause")
		}
		took(t, left, 0, 100*time.Millisecond)
	})
}
