package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/gateway"
	"github.com/ackbus/ackbus/internal/minired"
	"github.com/ackbus/ackbus/internal/run"
)

// A cluster is what the demonstration plays on: an embedded Redis and three nodes, the last of which can be cut off.
type cluster struct {
	redis   *minired.Server
	nodes   []*node
	link    *link // between node-3 and the Redis
	group   *run.Group
	clients map[string]*guest
	log     *slog.Logger
}

func startCluster(ctx context.Context, log *slog.Logger) (*cluster, error) {
	redis, err := startEmbedded("127.0.0.1:0", false, log)
	if err != nil {
		return nil, err
	}
	c := &cluster{redis: redis, link: newLink(), group: run.New(ctx), clients: make(map[string]*guest), log: log}
	for i := range 3 {
		o := c.nodeOptions(fmt.Sprintf("node-%d", i+1))
		if i == 2 {
			o.link = &relay.Options{Dial: c.link.dial}
		}
		n, err := startNode(ctx, o)
		if err != nil {
			c.close()
			return nil, err
		}
		c.nodes = append(c.nodes, n)
	}
	if err := errors.Join(c.settled(ctx), c.audit(ctx)); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *cluster) nodeOptions(name string) *nodeOptions {
	return &nodeOptions{
		bus:     busFlags{redis: c.redis.URL(), prefix: "ackbus:", lanes: 4},
		options: bus.Options{Name: name, Logger: c.log},
		listen:  "127.0.0.1:0", tcp: "127.0.0.1:0", admin: off,
		// A volatile message is dropped as soon as anything waits before it: one client that does not read shows it at once.
		gateway: gateway.Options{VolatileQueue: -1, Logger: c.log},
		log:     c.log,
	}
}

// settled waits until every node knows the others: before that, nobody can say that nobody is there.
func (c *cluster) settled(ctx context.Context) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for _, n := range c.nodes {
		for n.ready() != nil || len(n.bus.Nodes()) < len(c.nodes) {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// audit is a Go handler on node-2: it confirms like a client, without a socket.
func (c *cluster) audit(ctx context.Context) error {
	_, err := c.nodes[1].bus.Subscribe(ctx, bus.Topic("audit"), func(context.Context, *bus.Message) (bus.Body, error) {
		return bus.JSON(map[string]bool{"logged": true}), nil
	})
	return err
}

// cutOff cuts node-3 off once node-1 knows what it holds: reports come in order, so a later request that is confirmed says that
// the claim of the earlier one has arrived.
func (c *cluster) cutOff() {
	_, err := c.nodes[0].bus.Request(c.group.Context(), bus.User("cleo"), "still there?", bus.Body{})
	if err != nil {
		c.log.Error("node-3 did not answer before it was cut off", "error", err)
	}
	c.link.cut()
}

func (c *cluster) close() {
	c.group.Stop()
	for _, n := range c.nodes {
		n.close()
	}
	c.group.Wait()
	for _, g := range c.clients {
		g.close()
	}
	c.redis.Close()
}
