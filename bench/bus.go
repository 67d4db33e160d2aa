package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/ackbus/ackbus/bus"
)

const busTopic = "bench"

func openBus(ctx context.Context, b brief) (*bus.Bus, error) {
	return bus.Open(ctx, "redis://"+b.Redis, &bus.Options{Name: b.Role,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
}

// busRequester awaits the receipt of each request, as a user of the bus does.
func busRequester(ctx context.Context, b brief) (*actor, error) {
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, err
	}
	to, body := bus.Topic(busTopic), bus.Bytes(bytes.Repeat([]byte("x"), bodySize))
	call := func(ctx context.Context, _ int) error {
		_, err := node.Request(ctx, to, "echo", body)
		return err
	}
	return &actor{call: call, close: node.Close}, nil
}

// busResponder confirms each message with its own body.
func busResponder(ctx context.Context, b brief) (*actor, error) {
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, err
	}
	echo := func(_ context.Context, m *bus.Message) (bus.Body, error) { return m.Body, nil }
	if _, err := node.Subscribe(ctx, bus.Topic(busTopic), echo, bus.Concurrency(b.Concurrency)); err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return &actor{close: node.Close}, nil
}
