package bus

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// A Join beside another one returns only once Redis has confirmed, and Attach joins all its addresses at once.
func TestJoinsWaitTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		nodes := settled(t, hub, 1)
		c := connect(t, nodes[0], confirms, User("1"))
		hub.Away(-1)
		start := time.Now()
		joined := make(chan error, 3)
		for range 2 {
			nodes[0].group.Go(func() { joined <- c.at.Join(t.Context(), Group("d")) })
		}
		nodes[0].group.Go(func() {
			_, err := nodes[0].Attach(t.Context(), &client{}, Profile{}, Group("a"), Group("b"), Group("e"))
			joined <- err
		})
		pass(time.Second)
		if len(joined) > 0 {
			t.Errorf("%d calls returned without Redis", len(joined))
		}
		hub.Back()
		for range cap(joined) {
			if err := <-joined; err != nil {
				t.Error(err)
			}
		}
		took(t, start, time.Second, 2*time.Second)
		for _, group := range []string{"a", "b", "d", "e"} {
			if n := hub.Count(addressChannel(nodes[0].Prefix(), Group(group))); n != 1 {
				t.Errorf("group %s is held %d times", group, n)
			}
		}
	})
}

// Who leaves while it joins is not there afterwards, and the Join says so.
func TestLeaveDuringJoin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		nodes := settled(t, hub, 2)
		c := connect(t, nodes[0], confirms, User("1"))
		hub.Away(-1)
		joined := make(chan error, 1)
		nodes[0].group.Go(func() { joined <- c.at.Join(t.Context(), Group("a")) })
		synctest.Wait()
		c.at.Leave(Group("a"))
		hub.Back()
		if err := <-joined; !errors.Is(err, errDetached) {
			t.Errorf("Join: %v", err)
		}
		pass(10 * time.Second)
		r, err := nodes[1].Request(t.Context(), Group("a"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeNoReceiver)
		if err := c.at.Join(t.Context(), Group("a")); err != nil {
			t.Fatal(err)
		}
		r, err = nodes[1].Request(t.Context(), Group("a"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
		c.at.Detach()
		if err := c.at.Join(t.Context(), Group("b")); !errors.Is(err, errDetached) {
			t.Errorf("Join after Detach: %v", err)
		}
	})
}
