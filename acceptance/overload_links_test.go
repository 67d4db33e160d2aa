package acceptance

import (
	"net/http"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

const (
	narrowBytes   = 2 << 20 // a second, that the narrow link carries
	narrowMessage = 64 << 10
	narrowEvery   = time.Second * narrowMessage / narrowBytes / 2
	narrowClients = 6
)

// Publishers that are faster than the way to Redis: what does not fit is refused, before its time is over, and was not sent.
func TestOverloadBeforeRedis(t *testing.T) {
	c, link := newNarrowCluster(t, "gw-1")
	o := newOverload(t, formOf(t), c, narrowClients, narrowMessage, narrowEvery, 0)
	link.up.SetLimit(narrowBytes)
	o.happen(t)
	if o.refused == 0 {
		t.Error("nothing was refused")
	}
	o.carries(t)
}

// A Redis that is faster than the way to a node: what does not come in time is told as unknown, and does not pile up until Redis is full or
// the node is late for good.
func TestOverloadBehindRedis(t *testing.T) {
	c, link := newNarrowCluster(t, "gw-2")
	f := formOf(t)
	if f.long {
		f.calm = 3 * time.Second // what is on its way is up to 2.5 s old, then the node gives the connection up
	}
	o := newOverload(t, f, c, narrowClients, narrowMessage, narrowEvery, 0)
	link.down.SetLimit(narrowBytes)
	o.happen(t)
	o.carries(t)
}

// newNarrowCluster returns a cluster in which a link that can be made narrow leads from the one node to Redis.
func newNarrowCluster(t *testing.T, narrow string) (*cluster, *narrowLink) {
	t.Helper()
	leak.Check(t)
	c := &cluster{redis: redistest.Start(t)}
	link := newNarrowLink(t, c.redis.Addr())
	at := func(name string) *node {
		if name == narrow {
			return serveAt(t, link.url(), name)
		}
		return serveAt(t, c.redis.URL(), name)
	}
	c.gw1, c.gw2 = at("gw-1"), at("gw-2")
	for _, n := range []*node{c.gw1, c.gw2} {
		eventually(t, n.name+" knows both nodes", func() bool { return n.ready() && n.metric(t, "ackbus_nodes") == 2 })
	}
	return c, link
}

// serveAt is serve where Redis is behind a link.
func serveAt(t *testing.T, url, name string) *node {
	t.Helper()
	r := startRunner(t, name, []string{"ACKBUS_LOG_FORMAT=json"},
		"serve", "--redis", url, "--name", name, "--listen", "127.0.0.1:0", "--tcp", "127.0.0.1:0")
	n := &node{name: name, cmd: r.cmd, log: r.log, done: r.done,
		caller: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}},
		asking: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	t.Cleanup(n.caller.CloseIdleConnections)
	if !n.listens() {
		t.Fatalf("%s does not listen", name)
	}
	return n
}

// carries holds that the link carries what is of use: that too much is asked for does not keep what fits from the clients.
func (o *overload) carries(t *testing.T) {
	t.Helper()
	fits := int(o.lasting.Seconds() * narrowBytes / narrowMessage)
	least := fits / 10
	if o.long {
		least = fits / 2
	}
	if len(o.seen) < least {
		t.Errorf("the clients handled %d messages; %d fit through the link", len(o.seen), fits)
	}
}
