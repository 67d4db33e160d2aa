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

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/link"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// itself is the name of this process in histories: it carries the bytes of all links.
const itself = "chaos"

// A cluster is everything that runs.
type cluster struct {
	opts       *Options
	log        *history.Log
	delays     *delays
	redis      *redistest.Server
	links      []*link.Link
	nodes      []*node
	clients    *process
	publishers []*player
	instances  []*player       // that serve methods
	callers    []*player       // of these
	workmen    []*player       // who work at jobs
	clerks     []*player       // who enqueue those
	network    *network        // nil: none
	clocks     map[string]bool // of whom there is a file for it
	children   *run.Group      // waits for processes
	linked     *run.Group
}

func newCluster(ctx context.Context, o *Options) (*cluster, error) {
	log, err := history.Create(o.Dir, itself)
	if err != nil {
		return nil, err
	}
	unbound := context.WithoutCancel(ctx)
	c := &cluster{opts: o, log: log, delays: newDelays(log), clocks: make(map[string]bool),
		children: run.New(unbound), linked: run.New(unbound)}
	c.linked.Go(func() { log.Watch(c.linked.Context(), itself) })
	if c.redis, err = redistest.Run(ctx, append(c.keep(), c.connect(ctx)...)...); err != nil {
		return c, err
	}
	c.delays.set(itself, os.Getpid())
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
func (c *cluster) role(ctx context.Context, name, incarnation string, r role, env ...string) (*process, error) {
	program, err := c.opts.Actors, error(nil)
	if program == "" {
		program, err = os.Executable()
	}
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), program)
	cmd.Env = append(append(os.Environ(), RoleEnv+"=1"), env...)
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
