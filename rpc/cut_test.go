package rpc

import (
	"context"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
)

// A node that was cut off does not say that a method is unknown: it may have been offered meanwhile.
func TestUnknownToANodeThatWasCutOff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.server("one", adds)
		client := c.client()
		settle()
		_, err := client.Call(within(t, time.Second), "late", bus.Body{})
		wantCode(t, err, CodeUnknownMethod, false)

		c.hub.Fall(client.bus.Node().ID.String(), relay.AllLanes, 5*time.Second)
		c.server("two", func(s *Server) {
			tells(s.bus)(s)
			Handle(s, "late", func(_ context.Context, n int) (int, error) { return n, nil })
		})
		pass(time.Second)
		_, err = client.Call(within(t, 10*time.Second), "late", bus.Body{})
		wantCode(t, err, CodeUnavailable, false)

		pass(2 * time.Second) // the lanes stand again, a moment ago
		if _, err = Call[int](within(t, 10*time.Second), client, "late", 7); err != nil {
			t.Fatalf("after the cut: %v", err)
		}
	})
}
