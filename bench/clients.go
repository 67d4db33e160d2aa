package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/internal/run"
)

const (
	// spareFiles are open files besides one a client.
	spareFiles = 200
	// dialers is how many clients connect at once.
	dialers = 32
)

// crowd is the clients of one process.
type crowd struct {
	ctx     context.Context
	readers *run.Group
	sockets []*socket
	lost    atomic.Int64 // connections that ended by themselves
	closing atomic.Bool
}

// gatewayClients connects the clients, each of which acknowledges what it gets. It returns once all are welcome.
func gatewayClients(ctx context.Context, b role.Brief) (*role.Actor, error) {
	role.AllowFiles(b.Clients + spareFiles)
	c := &crowd{ctx: ctx, readers: run.New(ctx), sockets: make([]*socket, b.Clients)}
	if err := c.connect(b.Peer); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return &role.Actor{Close: c.close}, nil
}

// connect returns once every client is welcome, or with the first error.
func (c *crowd) connect(gateway string) error {
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	group := run.New(ctx)
	var next atomic.Int64
	for range min(dialers, len(c.sockets)) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(c.sockets)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				s, err := dialSocket(ctx, gateway, userName(int(i)))
				if err != nil {
					cancel(fmt.Errorf("client %d: %w", i, err))
					return
				}
				c.sockets[i] = s
				c.readers.Go(func() { c.read(s) })
			}
		})
	}
	group.Stop()
	group.Wait()
	return context.Cause(ctx) // nil unless one failed
}

func (c *crowd) read(s *socket) {
	if err := s.acknowledge(); err != nil && !c.closing.Load() {
		c.lost.Add(1)
	}
}

func (c *crowd) close() error {
	c.closing.Store(true)
	for _, s := range c.sockets {
		if s != nil {
			s.conn.Close()
		}
	}
	c.readers.Stop()
	c.readers.Wait()
	if n := c.lost.Load(); n > 0 {
		return fmt.Errorf("%d of %d clients lost their connection", n, len(c.sockets))
	}
	return nil
}
