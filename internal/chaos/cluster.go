package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"

	"github.com/ackbus/ackbus/internal/chaos/client"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/link"
	"github.com/ackbus/ackbus/internal/chaos/publisher"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// actor is the name of this process in histories: it carries the bytes of all links.
const actor = "chaos"

// A cluster is everything that runs.
type cluster struct {
	opts       *Options
	log        *history.Log
	delays     *delays
	redis      *redistest.Server
	links      []*link.Link
	nodes      []*node
	clients    *process
	publishers []*source
	network    *network   // nil: none
	children   *run.Group // waits for processes
	linked     *run.Group
}

// A source is a publisher's process, started again under a new name each time: it counts from one.
type source struct {
	settings publisher.Settings // its Name is that of the first incarnation, without number
	link     *link.Link         // to Redis, or nil
	times    int
	proc     *process
	name     string // of the incarnation of the moment
}

func newCluster(ctx context.Context, o *Options) (*cluster, error) {
	log, err := history.Create(o.Dir, actor)
	if err != nil {
		return nil, err
	}
	unbound := context.WithoutCancel(ctx)
	c := &cluster{opts: o, log: log, delays: newDelays(log), children: run.New(unbound), linked: run.New(unbound)}
	c.linked.Go(func() { log.Watch(c.linked.Context(), actor) })
	if c.redis, err = redistest.Run(ctx, c.connect(ctx)...); err != nil {
		return c, err
	}
	c.delays.set(actor, os.Getpid())
	c.linked.Go(func() { c.watchRedis(c.linked.Context()) })
	c.linked.Go(func() { c.delays.watch(c.linked.Context(), c.redis.PID) })
	// The third has no link: what a link does to a connection is not what Redis itself does to it.
	for i, linked := range []bool{true, true, false} {
		n, err := c.newNode(fmt.Sprint("gw-", i+1), linked)
		if err != nil {
			return c, err
		}
		c.nodes = append(c.nodes, n)
		if i == unpluggedNode && c.network != nil {
			_, port, _ := net.SplitHostPort(c.redis.Addr())
			n.network, n.url = c.network, "redis://"+net.JoinHostPort(c.network.toRedis.ourAddr, port)+"/0"
		}
		if err := c.startNode(ctx, n); err != nil {
			return c, err
		}
		c.watched(n)
	}
	return c, nil
}

// connect makes the network, if it is wanted and permitted, and returns what Redis must be told about it.
func (c *cluster) connect(ctx context.Context) (args []string) {
	if !c.opts.Namespaces {
		return nil
	}
	var err error
	if c.network, err = newNetwork(ctx); err != nil {
		fmt.Fprintln(c.opts.Out, "no network namespaces:", err)
		return nil
	}
	return []string{"--bind", "127.0.0.1", c.network.toRedis.ourAddr, "--protected-mode", "no"}
}

func (c *cluster) newNode(name string, linked bool) (*node, error) {
	n := &node{name: name, url: c.redis.URL(), asking: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	var errs [4]error
	n.ws, errs[0] = c.newLink("")
	n.tcp, errs[1] = c.newLink("")
	n.http, errs[2] = c.newLink("")
	if linked {
		n.redis, errs[3] = c.newLink(c.redis.Addr())
	}
	if n.redis != nil {
		n.url = "redis://" + n.redis.Addr() + "/0"
	}
	return n, errors.Join(errs[:]...)
}

func (c *cluster) newLink(target string) (*link.Link, error) {
	l, err := link.New(c.linked.Context())
	if err != nil {
		return nil, err
	}
	l.Target(target)
	c.links = append(c.links, l)
	return l, nil
}

// role starts this program again in a role, and returns once it stands.
func (c *cluster) role(ctx context.Context, name, incarnation string, r role) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), self)
	cmd.Env = append(os.Environ(), RoleEnv+"=1")
	p, err := c.start(name, incarnation, cmd)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(p.in).Encode(r); err != nil {
		return p, err
	}
	err = p.await(ctx, "ready", func(line string) bool { return line == readyLine })
	return p, err
}

// populate starts the clients, and returns once they are all connected, and then the publishers.
func (c *cluster) populate(ctx context.Context) error {
	s := client.Settings{Dir: c.opts.Dir, Name: client.Actor, Seed: c.opts.Seed, Clients: c.opts.Clients}
	var entries []publisher.Node
	for _, n := range c.nodes {
		s.Nodes = append(s.Nodes, n.forClients())
		entries = append(entries, n.forPublishers())
	}
	var err error
	if c.clients, err = c.role(ctx, client.Actor, client.Actor, role{Clients: &s}); err != nil {
		return err
	}
	l, err := c.newLink(c.redis.Addr())
	if err != nil {
		return err
	}
	common := publisher.Settings{
		Dir: c.opts.Dir, Seed: c.opts.Seed, Rate: c.opts.Rate, Chosen: c.opts.Chosen, Clients: c.opts.Clients, Groups: client.Groups,
	}
	one, two, three := common, common, common
	one.Name, one.Redis = "bus-1", c.redis.URL()
	two.Name, two.Redis, two.Observer = "bus-2", "redis://"+l.Addr()+"/0", true
	three.Name, three.Nodes = "http-1", entries
	c.publishers = []*source{{settings: one}, {settings: two, link: l}, {settings: three}}
	for i, p := range c.publishers {
		p.settings.Seed += uint64(i) << 32
		if err := c.startSource(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) startSource(ctx context.Context, p *source) error {
	p.times++
	p.name = fmt.Sprintf("%s.%d", p.settings.Name, p.times)
	s := p.settings
	s.Name = p.name
	s.Seed += uint64(p.times)
	var err error
	p.proc, err = c.role(ctx, p.name, p.name, role{Publisher: &s})
	return err
}

// leave ends the publishers, whose calls have their say, and then the clients.
func (c *cluster) leave() error {
	ends := run.New(context.Background()) // each end has a bound of its own
	errs := make([]error, len(c.publishers)+1)
	for i, p := range c.publishers {
		if p.proc != nil {
			ends.Go(func() { errs[i] = p.proc.end(p.proc.in.Close) })
		}
	}
	ends.Stop()
	ends.Wait()
	if c.clients != nil {
		errs[len(c.publishers)] = c.clients.end(c.clients.in.Close)
	}
	return errors.Join(errs...)
}

// close ends whatever still runs. The nodes drain.
func (c *cluster) close() error {
	err := c.leave()
	for _, n := range c.nodes {
		if n.proc != nil {
			err = errors.Join(err, n.proc.end(func() error { return n.proc.signal(drainSignal) }))
		}
	}
	c.children.Stop()
	c.children.Wait()
	c.linked.Stop()
	for _, l := range c.links {
		l.Close()
	}
	c.linked.Wait()
	c.network.remove()
	if c.redis != nil {
		err = errors.Join(err, c.redis.Stop())
	}
	return errors.Join(err, c.log.Close())
}
