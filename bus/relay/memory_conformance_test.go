package relay_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// memoryFactory makes the relays of one hub. A hub's options are its own, so the first relay decides on them.
func memoryFactory(base relay.HubOptions) func(t *testing.T) relaytest.Factory {
	return func(_ *testing.T) relaytest.Factory {
		var hub *relay.Hub
		return relaytest.Factory{
			New: func(_ *testing.T, o relaytest.Options) relay.Relay {
				if hub == nil {
					opts := base
					opts.OutboxPackets, opts.Linger = o.OutboxPackets, 200*time.Millisecond
					hub = relay.NewHub(&opts)
				}
				return hub.Relay()
			},
			Lanes: base.Lanes,
			Sever: func(_ *testing.T, nodeIDs []string) {
				for _, id := range nodeIDs {
					hub.Fall(id, relay.AllLanes, 0)
				}
			},
			Stall: func(_ *testing.T, nodeID string) func() {
				hub.Cut(nodeID)
				return func() { hub.Mend(nodeID) }
			},
			Away: func(_ *testing.T) func() {
				hub.Away(-1)
				return hub.Back
			},
		}
	}
}

func TestMemoryConforms(t *testing.T) {
	t.Run("plain", func(t *testing.T) { relaytest.Run(t, memoryFactory(relay.HubOptions{})) })
	t.Run("merging", func(t *testing.T) { relaytest.Run(t, memoryFactory(relay.HubOptions{Merge: true, Lanes: 3})) })
	t.Run("slow", func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		relaytest.Run(t, memoryFactory(relay.HubOptions{
			Merge: true,
			Lanes: 2,
			Delay: func() time.Duration { return time.Duration(random.IntN(3000)) * time.Microsecond },

			SubscribeDelay: 2 * time.Millisecond,
		}))
	})
}
