package relaytest

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

func testGuard(t *testing.T, f Factory) {
	a, b, c := start(t, f, Options{}), start(t, f, Options{}), start(t, f, Options{})
	observer := startAs(t, f, Options{}, true)
	base := unique(f)
	for k := range 8 * f.Lanes {
		name := fmt.Sprintf("%s:%d", base, k)
		want := relay.Result{Beacon: 3}
		if k%2 == 1 {
			b.subscribe(t, name)
			want.Count = 1
		}
		for _, n := range []*node{a, observer} {
			got := n.publish(t, relay.Packet{Channel: name, Guard: true})
			if want.Token = got.Token; got != want {
				t.Fatalf("%s: %+v, want %+v", name, got, want)
			}
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for k := range 8 * f.Lanes {
		name := fmt.Sprintf("%s:%d", base, k)
		eventually(t, "the beacon counts two", func() bool {
			return a.publish(t, relay.Packet{Channel: name, Guard: true}).Beacon == 2
		})
	}
}

func testAlive(t *testing.T, f Factory) {
	a, b := start(t, f, Options{}), start(t, f, Options{})
	observer := startAs(t, f, Options{}, true)
	ids := []string{a.id, uuid.NewString(), b.id, observer.id}
	alive(t, a, ids, []int{f.Lanes, 0, f.Lanes, f.Lanes})
	alive(t, observer, ids[:1], []int{f.Lanes})
	alive(t, b, nil, nil)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	alive(t, a, ids, []int{f.Lanes, 0, 0, f.Lanes})
}

// alive awaits the counts: Redis takes its time to see that a connection was closed.
func alive(t *testing.T, n *node, ids []string, want []int) {
	t.Helper()
	var got []int
	defer func() {
		if t.Failed() {
			t.Logf("alive: %v, want %v", got, want)
		}
	}()
	eventually(t, "each node's lanes are counted", func() bool {
		var err error
		if got, err = n.Alive(within(t), ids); err != nil {
			t.Fatalf("alive: %v", err)
		}
		return fmt.Sprint(got) == fmt.Sprint(want)
	})
}
