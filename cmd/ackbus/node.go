package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/gateway"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/rpc"
	"github.com/ackbus/ackbus/worker"
)

// nodeOptions say what a node is made of.
type nodeOptions struct {
	bus     busFlags
	options bus.Options
	link    *relay.Options // nil: the default
	listen  string
	tcp     string // or off
	admin   string // or off
	gateway gateway.Options
	api     api.Options
	log     *slog.Logger
}

// A node is a bus, a gateway and an HTTP API that live together.
type node struct {
	bus     *bus.Bus
	api     *api.API
	jobs    *worker.Jobs // nil where Redis has no room for queues
	calls   *rpc.Client
	gateway *gateway.Gateway
	http    *http.Server
	admin   *http.Server // nil: none
	group   *run.Group
	failed  chan error // takes why a listener ended by itself
	urls    nodeURLs
	leaving atomic.Bool
	log     *slog.Logger
}

// nodeURLs are where a node is reached; tcp and admin are empty where they are off. The live page stands at the admin address if there
// is one.
type nodeURLs struct{ http, websocket, tcp, admin, page string }

// startNode listens, joins the bus and begins to serve. ctx bounds the start; the caller ends the node with close.
func startNode(ctx context.Context, o *nodeOptions) (*node, error) {
	registry := newRegistry()
	o.options.Metrics, o.gateway.Metrics = registry, registry
	way, err := o.bus.relay(ctx, &o.options, o.link)
	if err != nil {
		return nil, err
	}
	ports, err := listenAll(ctx, o)
	if err != nil {
		return nil, errors.Join(err, way.Close())
	}
	b, err := o.bus.join(ctx, way, &o.options)
	if err != nil {
		ports.close()
		return nil, err
	}
	n := &node{bus: b, group: run.New(context.WithoutCancel(ctx)), failed: make(chan error, 1), urls: ports.urls(), log: o.log}
	if n.jobs, err = o.bus.queuesOfNode(ctx, b, &worker.Options{Logger: o.log, Metrics: registry}); err == nil {
		err = n.assemble(o, registry, ports.admin != nil)
	}
	if err != nil {
		ports.close()
		n.leave() // what counts is why the node could not be made
		return nil, err
	}
	n.serve(ports)
	me := b.Node()
	o.log.Info("ready", "node", me.Name, "id", me.ID, "http", n.urls.http, "websocket", n.urls.websocket, "tcp", n.urls.tcp,
		"admin", n.urls.admin, "page", n.urls.page)
	return n, nil
}

func (n *node) assemble(o *nodeOptions, registry *prometheus.Registry, admin bool) (err error) {
	if n.calls, err = callsOfNode(n.bus, registry, o.log); err != nil {
		return err
	}
	o.gateway.Call = gatewayCalls(n.calls)
	if n.gateway, err = gateway.New(n.bus, &o.gateway); err != nil {
		return err
	}
	o.api.WebSocket, o.api.Ready, o.api.Jobs, o.api.Calls = n.gateway, n.ready, n.jobs, n.calls
	o.api.Metrics, o.api.Page, o.api.Apart = registry, true, admin
	public, err := api.New(n.bus, &o.api)
	if err != nil {
		return errors.Join(err, n.gateway.Close())
	}
	n.api, n.http = public, api.NewServer(public, o.log)
	if !admin {
		return nil
	}
	handler, err := public.Admin()
	if err != nil {
		return errors.Join(err, n.gateway.Close())
	}
	n.admin = api.NewServer(handler, o.log)
	return nil
}

// ready says why the node should get no work.
func (n *node) ready() error {
	if n.leaving.Load() {
		return errors.New("the node is draining")
	}
	return n.bus.Ready()
}

// serve starts a goroutine a listener.
func (n *node) serve(ports *ports) {
	n.listener("HTTP", func() error { return n.http.Serve(n.gateway.Listen(ports.http)) })
	if ports.tcp != nil {
		n.listener("TCP", func() error { return n.gateway.ServeTCP(n.group.Context(), ports.tcp) })
	}
	if ports.admin != nil {
		n.listener("admin", func() error { return n.admin.Serve(ports.admin) })
	}
}

func (n *node) listener(what string, serve func() error) {
	n.group.Go(func() {
		err := serve()
		if n.leaving.Load() || errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case n.failed <- fmt.Errorf("the %s listener ended: %w", what, err):
		default: // one reason is enough
		}
	})
}

// lastAnswers is how long answers may take that are being written when the drain has ended.
const lastAnswers = time.Second

// drain lets what is in flight finish: no new sockets and no new work, then no more of the bus. The HTTP port stays open to the
// end, so that whoever asks reads what the node is up to. ctx bounds it.
func (n *node) drain(ctx context.Context) error {
	n.leaving.Store(true)
	n.bus.Draining()
	calls := make(chan error, 1)
	if !n.group.Go(func() { calls <- n.api.Drain(ctx) }) {
		return nil // closed already
	}
	err := errors.Join(n.gateway.Drain(ctx), <-calls, n.bus.Drain(ctx))
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancel()
	_ = n.http.Shutdown(last) // who is left only waits for what can't come any more
	return err
}

// close ends everything at once and waits for it.
func (n *node) close() {
	n.leaving.Store(true)
	err := errors.Join(n.gateway.Close(), n.http.Close())
	if n.admin != nil {
		err = errors.Join(err, n.admin.Close())
	}
	n.group.Stop()
	n.group.Wait()
	if err != nil {
		n.log.Debug("closed with errors", "error", err)
	}
	n.leave()
}

// leave leaves the queues and the bus.
func (n *node) leave() {
	if n.calls != nil {
		_ = n.calls.Close() // it has no errors
	}
	if n.jobs != nil {
		closeJobs(n.jobs, n.bus, n.log)
	} else if err := n.bus.Close(); err != nil {
		n.log.Debug("closed with errors", "error", err)
	}
}
