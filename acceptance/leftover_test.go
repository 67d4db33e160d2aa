package acceptance

import (
	"fmt"
	"net/http"
	"testing"
)

// Requests of every outcome leave nothing behind: no goroutine, no pending entry, no key.
func TestNothingIsLeft(t *testing.T) {
	const workers, each = 25, 200
	c := newCluster(t)
	kinds := []struct {
		to      string
		more    object
		status  int
		outcome string
	}{
		{"user:yes", nil, http.StatusOK, "confirmed"},
		{"user:no", nil, http.StatusConflict, "rejected"},
		{"group:all", object{"require": "all"}, http.StatusConflict, "rejected"},
		{"group:all", object{"require": 1}, http.StatusOK, "confirmed"},
		{"group:quiet", object{"level": "written"}, http.StatusOK, "written"},
		{"group:quiet", object{"timeout_ms": 20}, http.StatusGatewayTimeout, "unconfirmed"},
		{"user:nobody", nil, http.StatusNotFound, "no_receiver"},
	}
	connect(t, c.gw2, overJSON, "yes", confirm, "all")
	connect(t, c.gw2, overTCP, "no", refuse, "all")
	connect(t, c.gw1, overMsgpack, "quiet", silent, "quiet")
	nodes := []*node{c.gw1, c.gw2}
	var before []float64
	for _, n := range nodes {
		before = append(before, n.metric(t, "go_goroutines"))
	}
	keys := c.redis.Client()
	atStart := keys.DBSize(t.Context()).Val()

	bad := make(chan string, workers)
	work := asking(t, workers, func(worker int) *answer {
		var last *answer
		for i := range each {
			k := kinds[(worker+i)%len(kinds)]
			last = nodes[i%2].ask(k.to, k.more)
			late := k.outcome == "unconfirmed" && last.Outcome != k.outcome // 20 ms are little for a busy machine
			if last.failed == nil && last.status == k.status && last.Outcome == k.outcome || late {
				continue
			}
			select {
			case bad <- fmt.Sprintf("%s: want %d %s, got %v", k.to, k.status, k.outcome, last):
			default:
			}
		}
		return last
	})
	for range workers {
		work.next(t)
	}
	close(bad)
	for text := range bad {
		t.Error(text)
	}
	for i, n := range nodes {
		n.caller.CloseIdleConnections()
		eventually(t, n.name+" is as before", func() bool {
			return n.metric(t, "ackbus_requests_pending") == 0 && n.metric(t, "ackbus_deliveries_awaited") == 0 &&
				n.metric(t, "go_goroutines") <= before[i]
		})
	}
	if n, err := keys.DBSize(t.Context()).Result(); err != nil || n != 0 || atStart != 0 {
		t.Errorf("%d keys in Redis, %d at the start, %v", n, atStart, err)
	}
}
