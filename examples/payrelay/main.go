// Payrelay takes payments over HTTP and hands each to the back end of its merchant, a plain TCP client in whatever language
// (merchant.lua is one), on whichever node of the cluster that client is connected to. The HTTP answer carries the receipt.
//
// A payment reaches its merchant, or its receipt says how far it came. Where the receipt is not certain (504) the payment is
// posted again under its ID: the merchant books an ID once and acknowledges it again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
)

// drainTime is how long a node that is asked to end waits for what is in flight.
const drainTime = 30 * time.Second

// A config is what the flags say.
type config struct {
	name, redis, web, tcp, merchants string
	patience                         time.Duration
}

func main() {
	var c config
	flag.StringVar(&c.name, "name", "", "the node's name in receipts (default: the host's name)")
	flag.StringVar(&c.redis, "redis", "redis://127.0.0.1:6379", "the Redis that all nodes share")
	flag.StringVar(&c.web, "http", "127.0.0.1:8080", "where payments are posted")
	flag.StringVar(&c.tcp, "tcp", "127.0.0.1:7071", "where merchants connect")
	flag.StringVar(&c.merchants, "merchants", "examples/payrelay/merchants.json", "the file of the merchants' tokens")
	flag.DurationVar(&c.patience, "patience", 5*time.Second, "how long a merchant may take to answer")
	flag.Parse()

	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	if err := run(ctx, c, log); err != nil {
		log.Error("payrelay", "error", err)
		os.Exit(1)
	}
}

// run is one node, until ctx ends.
func run(ctx context.Context, c config, log *slog.Logger) error {
	known, err := readMerchants(c.merchants)
	if err != nil {
		return err
	}
	b, err := bus.Open(ctx, c.redis, &bus.Options{Name: c.name, Logger: log})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := listen(ctx, b, log); err != nil {
		return err
	}
	g, err := gateway.New(b, &gateway.Options{Authenticate: known.authenticate, Logger: log})
	if err != nil {
		return err
	}
	defer g.Close()
	return serve(ctx, c, b, g, log)
}

// serve opens the doors, and ends in order: no new payments, then no merchants, then no bus.
func serve(ctx context.Context, c config, b *bus.Bus, g *gateway.Gateway, log *slog.Logger) error {
	var sockets net.ListenConfig
	tcp, err := sockets.Listen(ctx, "tcp", c.tcp)
	if err != nil {
		return err
	}
	defer tcp.Close()
	web, err := sockets.Listen(ctx, "tcp", c.web)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newHandler(b, c.patience, log), ReadHeaderTimeout: 5 * time.Second}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return g.ServeTCP(ctx, tcp) })
	group.Go(func() error {
		if err := server.Serve(web); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("http: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		return errors.Join(server.Shutdown(ctx), g.Drain(ctx), b.Drain(ctx))
	})
	log.Info("ready", "node", b.Node().Name, "http", web.Addr(), "tcp", tcp.Addr())
	return group.Wait()
}
