package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/rpc"
)

// reply serves the method until ctx or the input ends, then lets what it has taken come to its end.
func reply(ctx context.Context, c config, in io.Reader, out io.Writer) error {
	log := slog.New(slog.DiscardHandler)
	b, err := bus.Open(ctx, c.redis, &bus.Options{Name: c.reply, Logger: log})
	if err != nil {
		return err
	}
	defer b.Close()
	server, err := rpc.NewServer(b, &rpc.ServerOptions{Concurrency: 16, Logger: log})
	if err != nil {
		return err
	}
	opts := []rpc.MethodOption{rpc.Description("adds two numbers, without haste")}
	if !c.once {
		opts = append(opts, rpc.Idempotent()) // a sum is the same again
	}
	rpc.Handle(server, method, func(ctx context.Context, in terms) (int, error) {
		return in.A + in.B, ponder(ctx, c.delay)
	}, opts...)
	if err := server.Start(ctx); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, c.reply, "is ready"); err != nil {
		return err
	}
	untilEnd(ctx, in)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(server.Drain(limit), b.Drain(limit))
}

// ponder takes between a tenth of most and most, unless the caller gives up.
func ponder(ctx context.Context, most time.Duration) error {
	timer := time.NewTimer(most/10 + rand.N(most*9/10+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// untilEnd returns at the end of the input: whoever started this process is gone then, however it ended.
func untilEnd(ctx context.Context, in io.Reader) {
	ended := make(chan struct{})
	go func() { // a read can't be called off; the process ends with it
		defer close(ended)
		_, _ = io.Copy(io.Discard, in)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
