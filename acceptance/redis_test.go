package acceptance

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// Redis dies in the middle of requests and comes back. The receipts come, also for what was acknowledged meanwhile, and no client
// sees its message twice.
func TestRedisRestarted(t *testing.T) {
	c := newCluster(t)
	meanwhile, after := make([]*client, 3), make([]*client, 3)
	for i, over := range carriers {
		meanwhile[i] = connect(t, c.gw2, over, fmt.Sprint("meanwhile", i), silent)
		after[i] = connect(t, c.gw2, over, fmt.Sprint("after", i), silent)
	}
	all := append(append([]*client(nil), meanwhile...), after...)
	requests := asking(t, len(all), func(i int) *answer {
		return c.gw1.ask("user:"+all[i].user, object{"timeout_ms": 20000})
	})
	for _, client := range all {
		eventually(t, client.user+" has the message", func() bool { return len(client.messages("e")) == 1 })
	}
	if err := c.redis.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, client := range meanwhile {
		client.say(t, confirm(client.messages("e")[0]))
	}
	c.gw1.ask("user:meanwhile0", nil).want(t, http.StatusServiceUnavailable, "unavailable") // the acknowledgements had time to get lost
	if err := c.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	for _, client := range after {
		client.say(t, confirm(client.messages("e")[0]))
	}
	for range all {
		a := requests.next(t)
		if d := a.wantOne(t, http.StatusOK, "confirmed"); d.Node != "gw-2" {
			t.Errorf("%v", a)
		}
	}
	for _, client := range all {
		if n := len(client.messages("e")); n != 1 {
			t.Errorf("%s saw the message %d times", client.user, n)
		}
	}
	for _, client := range all {
		client.now(confirm)
		eventually(t, client.user+" is reached again", func() bool {
			return c.gw1.ask("user:"+client.user, object{"event": "new", "timeout_ms": 1000}).status == http.StatusOK
		})
	}
}

// While Redis is away each request is refused after 2 s, and nothing piles up behind it.
func TestRedisAway(t *testing.T) {
	const many, rounds = 200, 3
	c := newCluster(t)
	client := connect(t, c.gw2, overJSON, "u", confirm)
	c.gw1.ask("user:u", nil).want(t, http.StatusOK, "confirmed")
	goroutines := c.gw1.metric(t, "go_goroutines")
	if err := c.redis.Kill(); err != nil {
		t.Fatal(err)
	}
	alone := c.gw1.ask("user:u", object{"event": "away"})
	alone.want(t, http.StatusServiceUnavailable, "unavailable")
	took := []time.Duration{alone.took}
	var heap float64 // after the first round: so many callers at once have their price, once
	for round := range rounds {
		requests := asking(t, many, func(i int) *answer {
			return c.gw1.ask("user:u", object{"event": "away", "data": fmt.Sprint(i)})
		})
		for range many {
			a := requests.next(t)
			a.want(t, http.StatusServiceUnavailable, "unavailable")
			took = append(took, a.took)
		}
		if round == 0 {
			heap = c.gw1.metric(t, "go_memstats_heap_inuse_bytes")
		}
	}
	slices.Sort(took) // two busy cores make many late, and some very late; what had piled up would come after 4 s
	if half, all := took[len(took)/2], took[len(took)-1]; half > 3*time.Second || all > 6*time.Second {
		t.Errorf("half of the requests were refused within %v, all within %v", half, all)
	}
	c.gw1.caller.CloseIdleConnections()
	within(t, 5*time.Second, "nothing is left of them", func() bool {
		return c.gw1.metric(t, "ackbus_requests_pending") == 0 && c.gw1.metric(t, "go_goroutines") <= goroutines+5
	})
	if grown := c.gw1.metric(t, "go_memstats_heap_inuse_bytes") - heap; grown > 20<<20 {
		t.Errorf("the node has grown by %.0f bytes since the first round", grown)
	}
	if n := len(client.messages("away")); n > 0 {
		t.Errorf("%d messages arrived", n)
	}
}
