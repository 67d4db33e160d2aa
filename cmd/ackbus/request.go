package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/bus"
)

const maxTimeout = 10 * time.Minute

// A request is the command of that name.
type request struct {
	log      *logFlags
	bus      busFlags
	message  message
	require  bus.Requirement
	level    bus.Level
	detail   bus.Detail
	timeout  time.Duration
	failFast bool
	json     bool
}

func newRequest(log *logFlags) *cobra.Command {
	q := &request{log: log}
	cmd := &cobra.Command{
		Use:     "request TO EVENT [DATA]",
		Short:   "Send a message and print its receipt",
		Long:    "Send a message and print its receipt.\n\n" + messageHelp,
		Example: `  ackbus request user:42 payment.settled '{"amount":100}' --require all`,
		Args:    cobra.RangeArgs(2, 3),
		RunE:    running(q.run),
	}
	q.add(cmd.Flags())
	return cmd
}

func (q *request) add(flags *pflag.FlagSet) {
	q.bus.addObserver(flags)
	q.message.add(flags)
	parsed(flags, &q.require, "require", "any|all|N", "any", "how many must reach the level", bus.ParseRequirement)
	parsed(flags, &q.level, "level", "level", "confirmed", "what counts: confirmed, written or claimed", bus.ParseLevel)
	parsed(flags, &q.detail, "detail", "detail", "auto", "what the receipt lists: auto, all or summary", bus.ParseDetail)
	parsed(flags, &q.timeout, "timeout", "duration", "5s", "how long to wait, 10m at most", between(time.Millisecond, maxTimeout))
	flags.BoolVar(&q.failFast, "fail-fast", false, "end as soon as the requirement can't be met any more")
	flags.BoolVar(&q.json, "json", false, "print the receipt as JSON")
}

func (q *request) run(cmd *cobra.Command, args []string) error {
	if err := q.message.read(args, cmd.InOrStdin()); err != nil {
		return err
	}
	ctx, stop := signalled(cmd.Context())
	defer stop()
	b, err := q.bus.joinAsObserver(ctx, cmd, q.log)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }() // the receipt is there, or its error
	progress := newProgress(cmd.ErrOrStderr())
	receipt, err := q.send(ctx, b, bus.OnDelivery(progress.delivery))
	progress.end()
	if receipt == nil {
		return err
	}
	if err := printReceipt(cmd.OutOrStdout(), receipt, q.json); err != nil {
		return err
	}
	if err != nil {
		return &exitError{code: exitFailed} // the receipt has said why
	}
	return nil
}

func (q *request) send(ctx context.Context, b *bus.Bus, heard bus.RequestOption) (*bus.Receipt, error) {
	opts := []bus.RequestOption{heard, bus.Require(q.require), bus.WithLevel(q.level), bus.WithDetail(q.detail)}
	if q.failFast {
		opts = append(opts, bus.FailFast())
	}
	for _, o := range q.message.Options() {
		opts = append(opts, o)
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	return b.Request(ctx, q.message.To, q.message.Event, q.message.Data, opts...)
}
