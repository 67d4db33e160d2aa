package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/bus"
)

// publishTimeout is how long a publishing may wait for Redis.
const publishTimeout = 5 * time.Second

// A publish is the command of that name.
type publish struct {
	log     *logFlags
	bus     busFlags
	message message
	json    bool
}

func newPublish(log *logFlags) *cobra.Command {
	p := &publish{log: log}
	cmd := &cobra.Command{
		Use:     "publish TO EVENT [DATA]",
		Short:   "Send a message that nobody waits for",
		Long:    "Send a message that nobody waits for.\n\n" + messageHelp,
		Example: `  ackbus publish group:news headline '"hello"'`,
		Args:    cobra.RangeArgs(2, 3),
		RunE:    running(p.run),
	}
	p.bus.addObserver(cmd.Flags())
	p.message.add(cmd.Flags())
	cmd.Flags().BoolVar(&p.json, "json", false, "print the ID and the receivers as JSON")
	return cmd
}

func (p *publish) run(cmd *cobra.Command, args []string) error {
	if err := p.message.read(args, cmd.InOrStdin()); err != nil {
		return err
	}
	ctx, stop := signalled(cmd.Context())
	defer stop()
	b, err := p.bus.joinAsObserver(ctx, cmd, p.log)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }() // the message is out, or its error is known
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	var opts []bus.PublishOption
	for _, o := range p.message.Options() {
		opts = append(opts, o)
	}
	published, err := b.Publish(ctx, p.message.To, p.message.Event, p.message.Data, opts...)
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(cmd.OutOrStdout(), struct {
			ID        uuid.UUID `json:"id"`
			Receivers int       `json:"receivers"`
		}{published.ID, published.Receivers})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s published to %s: %d receivers\n", published.ID, p.message.To, published.Receivers)
	return err
}
