// Quickstart subscribes a handler, sends it a request and prints the receipt. It is the Go program of the README.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ackbus/ackbus/bus"
)

func main() {
	if err := run(context.Background(), cmp.Or(os.Getenv("ACKBUS_REDIS"), "redis://127.0.0.1:7072"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is main, of a program for people
	}
}

func run(ctx context.Context, redis string, out io.Writer) error {
	b, err := bus.Open(ctx, redis, &bus.Options{Name: "billing"})
	if err != nil {
		return err
	}
	defer b.Close()

	// An endpoint. This one is a Go handler; a client behind a gateway is one too.
	_, err = b.Subscribe(ctx, bus.Topic("payments"), func(_ context.Context, m *bus.Message) (bus.Body, error) {
		return bus.JSON(map[string]string{"booked": m.Event}), nil // an error would reject
	})
	if err != nil {
		return err
	}

	receipt, err := b.Request(ctx, bus.Topic("payments"), "payment.settled", bus.JSON(map[string]int{"amount": 100}))
	switch {
	case err == nil: // somebody confirmed; bus.Require(bus.All()) asks for everybody
	case errors.Is(err, bus.ErrNoReceiver): // nobody is there: certain, not a guess
		return err
	case errors.Is(err, bus.ErrUnknown): // a node fell silent: send it again under its ID (bus.WithID)
		return err
	default: // rejected, unconfirmed, closed … or nothing was sent, and receipt is nil
		return err
	}
	for _, d := range receipt.Deliveries {
		fmt.Fprintln(out, d.Node, d.Carrier, d.Outcome, string(d.Reply.Raw()))
	}
	return nil
}
