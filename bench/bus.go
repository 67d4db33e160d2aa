package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/bus"
)

const busTopic = "bench"

func openBus(ctx context.Context, b role.Brief) (*bus.Bus, error) {
	return bus.Open(ctx, "redis://"+b.Redis, &bus.Options{Name: b.Role,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
}

// busRequester awaits the receipt of each request, as a user of the bus does.
func busRequester(ctx context.Context, b role.Brief) (*role.Actor, error) {
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, err
	}
	to, body := bus.Topic(busTopic), bus.Bytes(bytes.Repeat([]byte("x"), role.BodySize))
	call := func(ctx context.Context, _ int) error {
		_, err := node.Request(ctx, to, "echo", body)
		return err
	}
	return &role.Actor{Call: call, Close: node.Close}, nil
}

// busResponder confirms each message with its own body.
func busResponder(ctx context.Context, b role.Brief) (*role.Actor, error) {
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, err
	}
	echo := func(_ context.Context, m *bus.Message) (bus.Body, error) { return m.Body, nil }
	if _, err := node.Subscribe(ctx, bus.Topic(busTopic), echo, bus.Concurrency(b.Concurrency)); err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return &role.Actor{Close: node.Close}, nil
}
