package rpc

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
)

// tally counts answers by instance.
type tally struct {
	mu  sync.Mutex
	by  map[string]int
	all int
}

func (y *tally) add(who string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.by == nil {
		y.by = make(map[string]int)
	}
	y.by[who]++
	y.all++
}

// calling makes n calls from w goroutines and counts who answered.
func calling(t *testing.T, client *Client, w, n int, method string, opts ...CallOption) *tally {
	t.Helper()
	var y tally
	many(t, w, func(int) {
		for range n / w {
			who, err := Call[string](t.Context(), client, method, struct{}{}, opts...)
			if err != nil {
				t.Error(err)
			}
			y.add(who)
		}
	})
	return &y
}

// Equal instances get equal shares, within a tenth.
func TestLoadSharesEvenly(t *testing.T) {
	for _, w := range []int{1, 30} {
		inBubble(t, func(t *testing.T) {
			c := newCluster(t)
			client, _, _ := trio(t, c, nothing)
			y := calling(t, client, w, 6000, "who")
			for who, n := range y.by {
				if n < 1800 || n > 2200 {
					t.Errorf("%d at once: %s got %d of %d", w, who, n, y.all)
				}
			}
		})
	}
}

// A slow instance gets less.
func TestSlowInstanceGetsLess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, _ := trio(t, c, func(b *bus.Bus, s *Server) {
			Handle(s, "work", func(context.Context, struct{}) (string, error) {
				if b.Node().Name == "b" {
					<-time.After(50 * time.Millisecond)
				} else {
					<-time.After(5 * time.Millisecond)
				}
				return b.Node().Name, nil
			})
		})
		y := calling(t, client, 30, 3000, "work")
		if n := y.by["b"]; n > y.all/6 || n == 0 {
			t.Errorf("the slow one got %d of %d: %v", n, y.all, y.by)
		}
	})
}

// A key belongs to one instance; when an instance leaves its keys move, and no others. They share evenly.
func TestAffinity(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, nodes := trio(t, c, nothing)
		const keys = 10_000
		before, counts := make([]string, keys), make(map[string]int)
		place := func(i int) string {
			who, err := Call[string](t.Context(), client, "who", struct{}{}, Affinity(key(i)))
			if err != nil {
				t.Fatal(err)
			}
			return who
		}
		many(t, 100, func(w int) {
			for i := w; i < keys; i += 100 {
				before[i] = place(i)
			}
		})
		for _, who := range before {
			counts[who]++
		}
		for who, n := range counts {
			if n < keys/3*9/10 || n > keys/3*11/10 {
				t.Errorf("%s has %d keys", who, n)
			}
		}
		if err := nodes[1].Drain(within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
		pass(100 * time.Millisecond)
		many(t, 100, func(w int) {
			for i := w; i < keys; i += 100 {
				if after := place(i); before[i] != "b" && after != before[i] || after == "b" {
					t.Errorf("%s moved from %s to %s", key(i), before[i], after)
				}
			}
		})
	})
}

// Two clients agree on whose a key is.
func TestAffinityAgrees(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, _ := trio(t, c, nothing)
		other := c.client()
		for i := range 100 {
			a, err1 := Call[string](t.Context(), client, "who", struct{}{}, Affinity(key(i)))
			b, err2 := Call[string](t.Context(), other, "who", struct{}{}, Affinity(key(i)))
			if a != b || err1 != nil || err2 != nil {
				t.Errorf("%s: %s, %v; %s, %v", key(i), a, err1, b, err2)
			}
		}
	})
}

func TestOnNode(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, nodes := trio(t, c, nothing)
		for _, wish := range []string{"c", nodes[2].Node().ID.String()} {
			for range 20 {
				if who, err := Call[string](t.Context(), client, "who", struct{}{}, OnNode(wish)); who != "c" || err != nil {
					t.Fatalf("%q, %v", who, err)
				}
			}
		}
		for _, absent := range []string{"d", uuid.NewString()} {
			start := time.Now()
			_, err := Call[string](t.Context(), client, "who", struct{}{}, OnNode(absent))
			wantCode(t, err, CodeUnavailable, false)
			took(t, start, 0, 0)
		}
		c.hub.Kill(nodes[2].Node().ID.String())
		_, err := Call[string](t.Context(), client, "who", struct{}{}, OnNode("c"))
		wantCode(t, err, CodeUnavailable, false)
	})
}

// An instance that drains is called only when there is no other.
func TestDrainingInstances(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, nodes := trio(t, c, nothing)
		nodes[0].Draining()
		pass(100 * time.Millisecond)
		calling(t, client, 1, 1, "who") // which notices
		pass(100 * time.Millisecond)
		if y := calling(t, client, 1, 100, "who"); y.by["a"] != 0 {
			t.Errorf("%v", y.by)
		}
		nodes[1].Draining()
		nodes[2].Draining()
		pass(100 * time.Millisecond)
		calling(t, client, 1, 1, "who")
		pass(100 * time.Millisecond)
		if y := calling(t, client, 1, 90, "who"); len(y.by) != 3 {
			t.Errorf("all drain: %v", y.by)
		}
	})
}

// A node that has just not answered is left alone for a second, and then called again.
func TestShunning(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, nodes := trio(t, c, nothing)
		pass(time.Second)
		c.hub.Fall(nodes[0].Node().ID.String(), relay.AllLanes, 100*time.Millisecond)
		if y := calling(t, client, 3, 150, "who"); y.by["a"] != 0 {
			t.Errorf("%v", y.by)
		}
		pass(4 * time.Second)
		if y := calling(t, client, 1, 90, "who"); y.by["a"] == 0 {
			t.Errorf("%v", y.by)
		}
	})
}

func TestNearNames(t *testing.T) {
	names := []string{"math.sum", "math.sub", "user.get", "user.set", "a", "Größe"}
	for name, want := range map[string]string{"math.smu": "math.sum", "Math.Sum": "math.sum", "usr.get": "user.get", "grösse": "Größe"} {
		if got := near(name, names); len(got) == 0 || got[0] != want || len(got) > maxNear {
			t.Errorf("%q: %q, want %q first", name, got, want)
		}
	}
	if got := near("completely.different", names); got != nil {
		t.Errorf("%q", got)
	}
	if d := distance("kitten", "sitting"); d != 3 {
		t.Errorf("kitten and sitting: %d", d)
	}
}
