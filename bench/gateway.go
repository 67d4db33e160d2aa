package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
	"github.com/ackbus/ackbus/internal/run"
)

// userName is the user that a client connects as.
func userName(i int) string { return "client-" + strconv.Itoa(i) }

// gatewayNode is a node that clients connect to.
func gatewayNode(ctx context.Context, b role.Brief) (*role.Actor, error) {
	role.AllowFiles(b.Clients + spareFiles)
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	g, err := gateway.New(node, &gateway.Options{Logger: logger})
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, g.Close(), node.Close())
	}
	server := &http.Server{Handler: g, ReadHeaderTimeout: 10 * time.Second}
	group := run.New(ctx)
	var failure error
	group.Go(func() { failure = server.Serve(l) })
	return &role.Actor{Address: l.Addr().String(), Close: func() error {
		err := errors.Join(server.Close(), g.Close(), node.Close())
		group.Stop()
		group.Wait()
		if !errors.Is(failure, http.ErrServerClosed) {
			return errors.Join(err, failure)
		}
		return err
	}}, nil
}

// gatewayPublisher sends to the users in turn, each worker to its own, and awaits the receipts.
func gatewayPublisher(ctx context.Context, b role.Brief) (*role.Actor, error) {
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, err
	}
	users := make([]bus.Address, b.Clients)
	for i := range users {
		users[i] = bus.User(userName(i))
	}
	body := bus.JSON(strings.Repeat("x", role.BodySize-len(`""`)))
	call := func(ctx context.Context, worker int) error {
		_, err := node.Request(ctx, users[worker%len(users)], "bench", body)
		return err
	}
	return &role.Actor{Call: call, Close: node.Close}, nil
}
