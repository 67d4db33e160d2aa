package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/internal/run"
)

// An adminPort shows operators a process that serves neither clients nor publishers.
type adminPort struct {
	listener net.Listener // nil where it is off
	server   *http.Server
	group    *run.Group
}

// listenAdmin takes the port, before the process does anything: one that is taken shows at once.
func listenAdmin(ctx context.Context, address string) (*adminPort, error) {
	p := &adminPort{group: run.New(context.WithoutCancel(ctx))}
	if address == off {
		return p, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--admin: %w", err)
	}
	p.listener = l
	return p, nil
}

// url is where it is reached; empty where it is off.
func (p *adminPort) url() string {
	if p.listener == nil {
		return ""
	}
	return "http://" + p.listener.Addr().String()
}

// serve shows what the registry has. ready says why the process should get no work, or nil.
func (p *adminPort) serve(registry *prometheus.Registry, ready func() error, log *slog.Logger) error {
	if p.listener == nil {
		return nil
	}
	handler, err := api.Operators(registry, ready)
	if err != nil {
		return err
	}
	p.server = api.NewServer(handler, log)
	p.group.Go(func() {
		if err := p.server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("the admin listener ended", "error", err)
		}
	})
	return nil
}

// close ends it at once.
func (p *adminPort) close() {
	if p.listener != nil {
		_ = p.listener.Close() // it may be closed already
	}
	if p.server != nil {
		_ = p.server.Close() // nobody is owed an answer
	}
	p.group.Stop()
	p.group.Wait()
}
