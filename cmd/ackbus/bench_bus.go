package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/cmd/ackbus/internal/load"
	"github.com/ackbus/ackbus/internal/plain"
)

// aimAtBus sends as a Go program does. The guests, if any, are at another node of this process, so that every request goes through Redis.
func (b *bench) aimAtBus(ctx context.Context, cmd *cobra.Command, log *slog.Logger) (*target, error) {
	own, err := b.bus.joinAsObserver(ctx, cmd, b.log)
	if err != nil {
		return nil, err
	}
	to, dismiss, err := b.addressees(ctx, log, b.inviteToOwnNode)
	if err != nil {
		_ = own.Close() // what counts is why nobody is there
		return nil, err
	}
	closeAll := func() {
		_ = own.Close() // every answer is there
		dismiss()
	}
	var body bus.Body
	if b.size > 0 {
		if body, err = bus.Encoded(bus.FormatJSON, b.data()); err != nil {
			closeAll()
			return nil, err
		}
	}
	settle(ctx, own)
	opts := []bus.RequestOption{bus.Require(b.require), bus.WithLevel(b.level)}
	send := func(ctx context.Context, number int) load.Answer {
		ctx, cancel := context.WithTimeout(ctx, b.timeout)
		defer cancel()
		receipt, err := own.Request(ctx, to[number%len(to)], b.event, body, opts...)
		return busAnswer(receipt, err)
	}
	return &target{send, closeAll}, nil
}

// busAnswer tells receipts from errors in which nothing was sent.
func busAnswer(r *bus.Receipt, err error) load.Answer {
	if r == nil {
		return load.Answer{Outcome: failureWord(err), Failed: true, Text: plain.Text(err)}
	}
	a := load.Answer{Outcome: r.Outcome.String(), Met: err == nil}
	for i := range r.Deliveries {
		a.Bytes += len(r.Deliveries[i].Reply.Raw())
	}
	return a
}

// failureWord is the code that the HTTP API gives to an error.
func failureWord(err error) string {
	switch {
	case errors.Is(err, bus.ErrOverloaded):
		return "overloaded"
	case errors.Is(err, bus.ErrTooLarge):
		return "too_large"
	case errors.Is(err, bus.ErrUnavailable), errors.Is(err, bus.ErrBusClosed), errors.Is(err, context.DeadlineExceeded):
		return "unavailable"
	}
	return "failed"
}
