package rpc

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/pause"
)

// What a client knows of the others is fetched when the membership of the bus changes, and by one goroutine at a time.

const (
	fetchWithin  = 2 * time.Second        // one node
	fetchAtOnce  = 16                     // nodes
	fetchAgain   = 100 * time.Millisecond // after a failure, doubling
	fetchAgainIn = 2 * time.Second        // at most
	waitForTable = 3 * time.Second        // of a call to a method that is not known yet
	waitLook     = 10 * time.Millisecond
)

// current is the table as it is; nil before the first. If the membership has changed since it was made, a new one is begun.
func (c *Client) current() *table {
	t := c.table.Load()
	if (t == nil || t.membership != c.bus.Membership()) && c.fetching.CompareAndSwap(false, true) && !c.group.Go(c.fetch) {
		c.fetching.Store(false)
	}
	return t
}

// upToDate reports whether the table shows all members, and what each of them serves. It asks the members themselves: that they are
// settled may be seen before the number of their changes is.
func (c *Client) upToDate(t *table) bool {
	if t == nil || !t.complete || !c.bus.Steady() {
		return false
	}
	nodes := c.bus.Nodes()
	return nodes[0].Settled && !slices.ContainsFunc(nodes, func(n bus.Node) bool { return n.Methods > 0 && t.versions[n.ID] != n.Version })
}

// await returns the table once it is up to date, or has the method. It returns what there is, and false, when the patience ends, or the
// context.
func (c *Client) await(ctx context.Context, method string) (*table, bool) {
	patience := time.NewTimer(waitForTable)
	defer patience.Stop()
	look := time.NewTicker(waitLook) // whether the members are settled
	defer look.Stop()
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		t := c.current()
		if method != "" && t != nil && t.methods[method] != nil || c.upToDate(t) {
			return t, true
		}
		select {
		case <-changed:
		case <-look.C:
		case <-patience.C:
			return t, false
		case <-ctx.Done():
			return t, false
		case <-c.group.Context().Done():
			return t, false
		}
	}
}

// fetch asks nodes what they serve until all is known, and makes tables of it.
func (c *Client) fetch() {
	defer c.fetching.Store(false)
	for try := 1; ; try++ {
		membership := c.bus.Membership()
		nodes := c.bus.Nodes()
		complete := c.fetchFrom(membership, nodes)
		switch {
		case c.group.Context().Err() != nil, complete && c.bus.Membership() == membership:
			return
		case complete:
			continue
		}
		if !pause.For(c.group.Context(), pause.Before(try, fetchAgain, fetchAgainIn)) {
			return
		}
	}
}

// fetched is what came of asking one node.
type fetched struct {
	node    bus.Node
	methods []description
	err     error
}

// fetchFrom asks those whose version has changed, and makes a table with every answer. It reports whether all have answered.
func (c *Client) fetchFrom(membership uint64, nodes []bus.Node) bool {
	ask := c.changedNodes(nodes)
	answers := make(chan fetched, len(ask))
	var next atomic.Int64
	for range min(len(ask), fetchAtOnce) {
		c.group.Go(func() {
			for i := next.Add(1); i <= int64(len(ask)); i = next.Add(1) {
				node := ask[i-1]
				methods, err := c.describe(c.group.Context(), node.ID, false)
				answers <- fetched{node, methods, err}
			}
		})
	}
	if len(ask) == 0 {
		c.publish(build(membership, true, nodes, c.served))
		return true
	}
	failed := 0
	for n := 1; n <= len(ask); n++ {
		select {
		case a := <-answers:
			if !c.take(a) {
				failed++
			}
		case <-c.group.Context().Done():
			return false
		}
		if len(answers) == 0 || n == len(ask) {
			c.publish(build(membership, n == len(ask) && failed == 0, nodes, c.served))
		}
	}
	return failed == 0
}

// changedNodes forgets the nodes that have left, and lists those that are to be asked.
func (c *Client) changedNodes(nodes []bus.Node) []bus.Node {
	member := make(map[uuid.UUID]bool, len(nodes))
	var ask []bus.Node
	for _, node := range nodes {
		member[node.ID] = true
		of := c.served[node.ID]
		if of == nil {
			of = &served{}
			c.served[node.ID] = of
		}
		switch {
		case of.known && of.version == node.Version:
		case node.Methods == 0:
			of.version, of.known, of.methods, of.instances = node.Version, true, nil, nil
		default:
			ask = append(ask, node)
		}
	}
	for id := range c.served {
		if !member[id] {
			delete(c.served, id)
		}
	}
	return ask
}

// take keeps what a node answered. One that did not keeps what it had.
func (c *Client) take(a fetched) bool {
	of := c.served[a.node.ID]
	if a.err != nil {
		of.failures++
		c.log.Debug("a node does not say what it serves", slog.String("member", a.node.Name), slog.Int("failures", of.failures),
			slog.Any("error", a.err))
		return false
	}
	of.version, of.known, of.failures, of.methods = a.node.Version, true, 0, a.methods
	for name := range of.instances {
		if !slices.ContainsFunc(a.methods, func(d description) bool { return d.Name == name }) {
			delete(of.instances, name)
		}
	}
	return true
}

// publish puts a table into the place of the last, and wakes who waits for it.
func (c *Client) publish(t *table) {
	c.table.Store(t)
	c.mu.Lock()
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
}

// describe asks one node what it serves.
func (c *Client) describe(ctx context.Context, node uuid.UUID, full bool) ([]description, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	var all []description
	for {
		query := encode(describeQuery{From: len(all), Full: full}, bus.FormatMsgpack)
		receipt, err := c.bus.Request(ctx, bus.MethodAt(describeMethod, node), describeMethod, query, bus.TrustCount())
		if err != nil {
			return nil, err
		}
		page, err := decodeDescriptions(receipt.Deliveries[0].Reply)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Methods...)
		if page.Next == 0 || len(page.Methods) == 0 || len(all) > maxMethods {
			return all, nil
		}
	}
}
