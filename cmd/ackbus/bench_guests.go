package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/cmd/ackbus/internal/client"
	"github.com/ackbus/ackbus/gateway"
	"github.com/ackbus/ackbus/internal/run"
)

// guestsTimeout is how long all clients of a bench together may take to be welcome.
const guestsTimeout = 30 * time.Second

// benchGuests are the endpoints that a bench brings itself; each acknowledges at once.
type benchGuests struct {
	node      *node // nil: they are at somebody else's
	group     *run.Group
	addresses []bus.Address
}

func newBenchGuests(ctx context.Context) *benchGuests {
	return &benchGuests{group: run.New(context.WithoutCancel(ctx))}
}

// inviteToOwnNode starts a node in this process and attaches the guests to it.
func (b *bench) inviteToOwnNode(ctx context.Context, log *slog.Logger) (*benchGuests, error) {
	n, err := startNode(ctx, &nodeOptions{
		bus: b.bus, options: bus.Options{Name: "ackbus bench", Logger: log},
		listen: "127.0.0.1:0", tcp: "127.0.0.1:0", admin: off,
		gateway: gateway.Options{Logger: log}, log: log,
	})
	if err != nil {
		return nil, err
	}
	g := newBenchGuests(ctx)
	g.node = n
	switch b.carrier {
	case bus.CarrierHandler:
		err = g.handle(ctx, b.clients)
	case bus.CarrierTCP:
		err = g.connect(ctx, b.clients, n.urls.tcp, log)
	default:
		err = g.connect(ctx, b.clients, n.urls.websocket, log)
	}
	if err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// handle subscribes Go handlers.
func (g *benchGuests) handle(ctx context.Context, n int) error {
	name := runName()
	for i := range n {
		to := bus.Topic(fmt.Sprintf("bench.%s.%d", name, i))
		_, err := g.node.bus.Subscribe(ctx, to, func(context.Context, *bus.Message) (bus.Body, error) { return bus.Body{}, nil })
		if err != nil {
			return err
		}
		g.addresses = append(g.addresses, to)
	}
	return nil
}

// connect connects clients, each as a user of its own, and returns once all are welcome.
func (g *benchGuests) connect(ctx context.Context, n int, url string, log *slog.Logger) error {
	name := runName()
	welcomed := make(chan error, n)
	for i := range n {
		user := fmt.Sprintf("bench-%s-%d", name, i)
		g.addresses = append(g.addresses, bus.User(user))
		g.group.Go(func() {
			first := true
			err := client.Run(g.group.Context(), client.Options{URL: url, User: user, Logger: log, Welcomed: func(client.Welcome) {
				if first {
					welcomed <- nil
				}
				first = false
			}})
			if first && err != nil {
				welcomed <- fmt.Errorf("connect a client to %s: %w", url, err)
			}
		})
	}
	ctx, cancel := context.WithTimeoutCause(ctx, guestsTimeout, fmt.Errorf("%d clients were not welcome within %v", n, guestsTimeout))
	defer cancel()
	for range n {
		select {
		case err := <-welcomed:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// runName tells the clients of one bench from those of another.
func runName() string { return strings.ToLower(rand.Text()[:10]) }

func (g *benchGuests) close() {
	g.group.Stop()
	g.group.Wait()
	if g.node != nil {
		g.node.close()
	}
}
