package acceptance

import (
	"net/http"
	"testing"
)

// A kind is a kind of request, and the answer that it must get.
type kind struct {
	to      string
	more    object
	status  int
	outcome string
}

var kinds = []kind{
	{"user:yes", nil, http.StatusOK, "confirmed"},
	{"user:no", nil, http.StatusConflict, "rejected"},
	{"group:all", object{"require": "all"}, http.StatusConflict, "rejected"},
	{"group:all", object{"require": 1}, http.StatusOK, "confirmed"},
	{"group:quiet", object{"level": "written"}, http.StatusOK, "written"},
	{"group:quiet", object{"timeout_ms": 20}, http.StatusGatewayTimeout, "unconfirmed"},
	{"user:nobody", nil, http.StatusNotFound, "no_receiver"},
}

func (k *kind) fits(a *answer) bool {
	if k.outcome == "unconfirmed" && a.Outcome != k.outcome { // 20 ms are little for a busy machine
		return true
	}
	return a.failed == nil && a.status == k.status && a.Outcome == k.outcome
}

// Requests of every outcome leave nothing behind: no goroutine, no pending entry, no key.
func TestNothingIsLeft(t *testing.T) {
	const workers, each = 25, 200
	c := newCluster(t)
	connect(t, c.gw2, overJSON, "yes", confirm, "all")
	connect(t, c.gw2, overTCP, "no", refuse, "all")
	connect(t, c.gw1, overMsgpack, "quiet", silent, "quiet")
	nodes := []*node{c.gw1, c.gw2}
	isLeft := []func(){c.gw1.remember(t), c.gw2.remember(t), c.rememberKeys(t)}
	work := asking(t, workers, func(worker int) (last *answer) {
		for i := range each {
			k := kinds[(worker+i)%len(kinds)]
			if last = nodes[i%2].ask(k.to, k.more); !k.fits(last) {
				t.Errorf("%s: want %d %s, got %v", k.to, k.status, k.outcome, last)
				break
			}
		}
		return last
	})
	for range workers {
		work.next(t)
	}
	for _, check := range isLeft {
		check()
	}
}

// remember looks at the node, and returns what checks later that it holds no more than now.
func (n *node) remember(t *testing.T) (check func()) {
	t.Helper()
	before := n.metric(t, "go_goroutines")
	return func() {
		n.caller.CloseIdleConnections()
		eventually(t, n.name+" is as before", func() bool {
			return n.metric(t, "ackbus_requests_pending") == 0 && n.metric(t, "ackbus_deliveries_awaited") == 0 &&
				n.metric(t, "go_goroutines") <= before
		})
	}
}

// rememberKeys is remember for the keys in Redis, of which there are never any.
func (c *cluster) rememberKeys(t *testing.T) (check func()) {
	t.Helper()
	client := c.redis.Client()
	check = func() {
		if n, err := client.DBSize(t.Context()).Result(); err != nil || n != 0 {
			t.Errorf("%d keys in Redis, %v", n, err)
		}
	}
	check()
	return check
}
