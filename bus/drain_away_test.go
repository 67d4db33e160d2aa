package bus

import (
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// What a draining node has to report while Redis is away leaves once Redis is back, if somebody still waits for it.
func TestDrainWhileRedisIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		nodes := settled(t, hub, 2)
		connect(t, nodes[1], later(2*time.Second, confirms), User("1"))
		var all sync.WaitGroup
		all.Go(func() {
			r, err := nodes[0].Request(t.Context(), User("1"), "e", JSON(1))
			wantOutcome(t, r, err, OutcomeConfirmed)
		})
		pass(500 * time.Millisecond)
		hub.Away(3 * time.Second)
		if err := nodes[1].Drain(t.Context()); err != nil {
			t.Error(err)
		}
		all.Wait()
	})
}
