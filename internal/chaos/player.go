package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/client"
	"github.com/ackbus/ackbus/internal/chaos/link"
	"github.com/ackbus/ackbus/internal/chaos/publisher"
	"github.com/ackbus/ackbus/internal/run"
)

// A player is a process in a role, started again under a new name each time: it counts from one.
type player struct {
	base  string // its name without number
	part  func(s actor.Settings) role
	redis string     // where it joins the bus; empty: it does not
	rate  int        // what it begins in a second
	seed  uint64     // of its first incarnation
	link  *link.Link // to Redis, or nil
	times int
	proc  *process
	name  string // of the incarnation of the moment
}

// How many of each there are.
const (
	publishers = 3
	instances  = 3
	callers    = 1
	workmen    = 3
	clerks     = 1
)

// populate starts the clients, and returns once they are all connected, and then all others.
func (c *cluster) populate(ctx context.Context) error {
	s := client.Settings{Dir: c.opts.Dir, Name: client.Actor, Seed: c.opts.Seed, Clients: c.opts.Clients}
	for _, n := range c.nodes {
		s.Nodes = append(s.Nodes, n.forClients())
	}
	var err error
	if c.clients, err = c.role(ctx, client.Actor, client.Actor, role{Clients: &s}); err != nil {
		return err
	}
	if err := c.castPublishers(); err != nil {
		return err
	}
	c.castOthers()
	for i, p := range c.players() {
		p.seed = c.opts.Seed + uint64(i)<<32
		if err := c.startPlayer(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// castPublishers prepares one publisher that is a member of the bus, one that is an observer, with a link to Redis, and one that asks by
// HTTP.
func (c *cluster) castPublishers() error {
	l, err := c.newLink(c.redis.Addr())
	if err != nil {
		return err
	}
	var entries []publisher.Node
	for _, n := range c.nodes {
		entries = append(entries, n.forPublishers())
	}
	part := func(observer bool, nodes []publisher.Node) func(actor.Settings) role {
		return func(s actor.Settings) role {
			s.Observer = observer
			return role{Publisher: &publisher.Settings{Settings: s, Nodes: nodes, Chosen: c.opts.Chosen, Clients: c.opts.Clients,
				Groups: client.Groups}}
		}
	}
	c.publishers = []*player{
		{base: "bus-1", redis: c.redis.URL(), rate: c.opts.Rate, part: part(false, nil)},
		{base: "bus-2", redis: "redis://" + l.Addr() + "/0", rate: c.opts.Rate, part: part(true, nil), link: l},
		{base: "http-1", rate: c.opts.Rate, part: part(false, entries)},
	}
	return nil
}

// castOthers prepares those who serve and call methods, and work at and enqueue jobs.
func (c *cluster) castOthers() {
	cast := func(base string, number, rate int, part func(s actor.Settings) role) (all []*player) {
		for i := range number {
			all = append(all, &player{base: fmt.Sprint(base, "-", i+1), redis: c.redis.URL(), rate: rate, part: part})
		}
		return all
	}
	if c.opts.Calls > 0 {
		c.instances = cast("instance", instances, 1, func(s actor.Settings) role { return role{Instance: &s} })
		c.callers = cast("caller", callers, c.opts.Calls, func(s actor.Settings) role { return role{Caller: &s} })
	}
	if c.opts.Jobs > 0 {
		c.workmen = cast("worker", workmen, 1, func(s actor.Settings) role { return role{Workman: &s} })
		c.clerks = cast("clerk", clerks, c.opts.Jobs, func(s actor.Settings) role { return role{Clerk: &s} })
	}
}

// players are all, those first whom others need.
func (c *cluster) players() []*player { return append(c.servants(), c.askers()...) }

// servants do what askers ask.
func (c *cluster) servants() []*player { return slices.Concat(c.instances, c.workmen) }
func (c *cluster) askers() []*player   { return slices.Concat(c.publishers, c.callers, c.clerks) }

func (c *cluster) startPlayer(ctx context.Context, p *player) error {
	p.times++
	p.name = fmt.Sprintf("%s.%d", p.base, p.times)
	env, err := c.ownClock(p.base)
	if err == nil {
		p.proc, err = c.role(ctx, p.name, p.name, p.part(actor.Settings{
			Dir: c.opts.Dir, Name: p.name, Seed: p.seed + uint64(p.times), Redis: p.redis, Rate: p.rate}), env...)
	}
	return err
}

// drain has the player finish what it has in hand, and end.
func (p *player) drain() error {
	return p.proc.end(func() error { return p.proc.signal(drainSignal) })
}

// leave ends those who ask, whose calls have their say, and then the clients and those who serve them.
func (c *cluster) leave() error {
	err := endAll(c.askers(), func(p *player) error { return p.proc.end(p.proc.in.Close) })
	if c.clients != nil {
		err = errors.Join(err, c.clients.end(c.clients.in.Close))
	}
	return errors.Join(err, endAll(c.servants(), (*player).drain))
}

func endAll(all []*player, end func(*player) error) error {
	ends := run.New(context.Background()) // each end has a bound of its own
	errs := make([]error, len(all))
	for i, p := range all {
		if p.proc != nil {
			ends.Go(func() { errs[i] = end(p) })
		}
	}
	ends.Stop()
	ends.Wait()
	return errors.Join(errs...)
}
