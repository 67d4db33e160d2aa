package relay_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

// A sentinel names a master. It stands in for a real one, whose failover takes longer than a test may.
type sentinel struct {
	addr   string
	master atomic.Pointer[string]
}

func startSentinel(t *testing.T, master string) *sentinel {
	t.Helper()
	srv, err := server.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	s := &sentinel{addr: srv.Addr().String()}
	s.name(master)
	err = srv.Register("SENTINEL", func(c *server.Peer, _ string, args []string) {
		if len(args) != 2 || !strings.EqualFold(args[0], "get-master-addr-by-name") || args[1] != "mymaster" {
			c.WriteLen(-1)
			return
		}
		host, port, _ := net.SplitHostPort(*s.master.Load())
		c.WriteStrings([]string{host, port})
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sentinel) name(master string) { s.master.Store(&master) }

// The nodes move to the new master also when the old one stays, and keeps their connections.
func TestFailover(t *testing.T) {
	first, second := redistest.Start(t), redistest.Start(t)
	follow(t, second, first)
	watcher := startSentinel(t, first.Addr())
	url := fmt.Sprintf("redis+sentinel://127.0.0.1:1,%s/mymaster", watcher.addr)
	sent, got := newJournal(), newJournal()
	publisher, receiver := startRedis(t, url, nil, sent), startRedis(t, url, nil, got)
	subscribe(t, receiver, "a")
	p := &pair{publisher: publisher, sent: sent}
	if r := p.result(t, "a", "before", 0); r.Err != nil || r.Count != 1 {
		t.Fatalf("before the failover: %+v", r)
	}
	if err := second.Client().Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	follow(t, first, second)
	watcher.name(second.Addr())
	sent.mended(t, 4)
	got.mended(t, 4)
	if n := second.Client().PubSubNumSub(t.Context(), "a").Val()["a"]; n != 1 {
		t.Errorf("the new master counts %d", n)
	}
	eventually(t, "publishing goes to the new master", func() bool {
		r := p.result(t, "a", "after", 0)
		return r.Err == nil && r.Count == 1 && got.has("after")
	})
	left := first.Client().PubSubChannels(t.Context(), "*").Val()
	if len(left) > 0 {
		t.Errorf("the old master still has subscribers of %q", left)
	}
	sent.orderly(t)
	got.orderly(t)
}

// A sentinel that names a server which knows better is not believed.
func TestStaleSentinel(t *testing.T) {
	first, second := redistest.Start(t), redistest.Start(t)
	follow(t, second, first)
	stale, right := startSentinel(t, second.Addr()), startSentinel(t, first.Addr())
	startRedis(t, fmt.Sprintf("redis+sentinel://%s,%s/mymaster", stale.addr, right.addr), nil, newJournal())
	if lanes := len(first.Client().PubSubChannels(t.Context(), "ackbus:lane:*").Val()); lanes != 4 {
		t.Errorf("the master has the beacons of %d lanes", lanes)
	}
	r, err := relay.OpenRedis(t.Context(), fmt.Sprintf("redis+sentinel://%s/another", right.addr), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	startUnavailable(t, r, "knows no master")
}

func follow(t *testing.T, replica, master *redistest.Server) {
	t.Helper()
	host, port, _ := net.SplitHostPort(master.Addr())
	if err := replica.Client().Do(t.Context(), "REPLICAOF", host, port).Err(); err != nil {
		t.Fatal(err)
	}
}
