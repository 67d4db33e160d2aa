package chaos

import (
	"context"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// A kind is one sort of fault.
type kind struct {
	name string
	// least and most are how long it lasts.
	least, most time.Duration
	// weight is how often it is drawn, compared with others: there are many bad links, and few ways to die.
	weight int
	// redis says that it is about Redis itself.
	redis bool
	// targets is how many things it can be done to.
	targets int
	// touches names who is touched, in the words of the histories.
	touches func(c *cluster, target int) []string
	// does is what it does to whom it touches, if it lasts for at least grave.
	does  string
	grave time.Duration
	// possible says whether it can be done at all; nil: it can.
	possible func(c *cluster) bool
	// begin does it, and heal undoes it and returns once everything that it touched works again.
	begin, heal func(ctx context.Context, c *cluster, target int) error
}

const (
	nodes       = 3 // all of them
	linkedNodes = 2 // those with a link to Redis, which come first
	// linkLeast and linkMost are how long links and cables are bad.
	linkLeast = 200 * time.Millisecond
	linkMost  = 6 * time.Second
	// silence is from when on a standstill is one that others must have noticed.
	silence = 3500 * time.Millisecond
	// doubt is from when on they may: lanes give up after 2.5 s, and 600 ms later Redis's count says that nobody is there.
	doubt = 3 * time.Second
)

// kinds are all faults that there are.
func kinds() []kind {
	var all []kind
	for _, group := range []struct {
		kinds  []kind
		weight int
	}{{processKinds(), 5}, {playerKinds(), 4}, {redisKinds(), 3}, {linkKinds(), 1}, {networkKinds(), 3}, {clockKinds(), 4}} {
		for _, k := range group.kinds {
			k.weight = group.weight
			all = append(all, k)
		}
	}
	return all
}

func oneNode(c *cluster, target int) []string { return []string{c.nodes[target].name} }
func redisItself(*cluster, int) []string      { return []string{"redis"} }
func allClients(*cluster, int) []string       { return []string{"clients"} }

// clientsOf is the link between the clients and a node: what it does is nobody's fault but the link's.
func clientsOf(c *cluster, target int) []string { return []string{"clients", c.nodes[target].name} }

func nothing(context.Context, *cluster, int) error { return nil }

// processKinds are faults of nodes and clients as processes.
func processKinds() []kind {
	const ms, s = time.Millisecond, time.Second
	return []kind{
		{name: "node killed", least: 50 * ms, most: 4 * s, targets: nodes, touches: oneNode, does: history.Kills, begin: killNode,
			heal: restartNode},
		{name: "node stopped", least: 100 * ms, most: 8 * s, targets: nodes, touches: oneNode, does: history.Silences, grave: silence,
			begin: stopNode, heal: continueNode},
		{name: "node drained", least: 0, most: s, targets: nodes, touches: oneNode, does: history.Drains, begin: drainNode,
			heal: restartNode},
		{name: "clients stopped", least: 100 * ms, most: 4 * s, targets: 1, touches: allClients,
			begin: func(_ context.Context, c *cluster, _ int) error { return c.clients.signal(stopSignal) },
			heal:  func(_ context.Context, c *cluster, _ int) error { return c.clients.signal(goOnSignal) }},
	}
}

func killNode(_ context.Context, c *cluster, target int) error {
	c.nodes[target].proc.kill()
	return nil
}

func stopNode(_ context.Context, c *cluster, target int) error {
	return c.nodes[target].proc.signal(stopSignal)
}

func continueNode(ctx context.Context, c *cluster, target int) error {
	n := c.nodes[target]
	if err := n.proc.signal(goOnSignal); err != nil {
		return err
	}
	return n.awaitReady(ctx)
}

func drainNode(_ context.Context, c *cluster, target int) error {
	n := c.nodes[target]
	return n.proc.end(func() error { return n.proc.signal(drainSignal) })
}

func restartNode(ctx context.Context, c *cluster, target int) error {
	n := c.nodes[target]
	if err := c.startNode(ctx, n); err != nil {
		return err
	}
	c.watched(n)
	return nil
}
