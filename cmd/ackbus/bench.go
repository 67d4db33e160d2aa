package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/cmd/ackbus/internal/load"
	"github.com/ackbus/ackbus/internal/plain"
)

// Bounds of a bench.
const (
	maxInFlight = 65_536
	maxGuests   = 10_000
	maxRun      = 24 * time.Hour
)

// A bench is the command of that name.
type bench struct {
	log      *logFlags
	bus      busFlags
	url      string
	key      string
	requests int
	duration time.Duration
	inFlight int
	rate     float64
	size     int
	carrier  string
	clients  int
	event    string
	require  bus.Requirement
	level    bus.Level
	timeout  time.Duration
	json     bool

	to bus.Address // zero: the bench brings whom it sends to
}

func newBench(log *logFlags) *cobra.Command {
	b := &bench{log: log}
	cmd := &cobra.Command{
		Use:   "bench [TO]",
		Short: "Put load on the bus and print how long receipts took",
		Long: `Put load on the bus and print what became of the requests, and how long their receipts took.

Without TO it brings clients of its own, which acknowledge at once: over a gateway in its process, or, with --url, over that node's
WebSocket. They share the processors of this machine with what is measured. With TO it sends to whom is there.

Requests go to Redis (--redis), as those of a Go program do, or to the HTTP API of a node (--url). With --rate requests are due at fixed
times, and measured from when they were due. Ctrl-C ends it and prints what is known by then.`,
		Example: `  ackbus bench
  ackbus bench --url http://127.0.0.1:7070 --rate 500 --duration 30s
  ackbus bench user:42 --requests 1000 --in-flight 1`,
		Args: cobra.MaximumNArgs(1),
		RunE: running(b.run),
	}
	b.add(cmd.Flags())
	return cmd
}

func (b *bench) add(flags *pflag.FlagSet) {
	b.bus.addObserver(flags)
	flags.StringVar(&b.url, "url", "", "send to the HTTP API of the node at this URL, and not to Redis")
	flags.StringVar(&b.key, "api-key", "", "key for --url, where the node asks for one")
	parsed(flags, &b.requests, "requests", "n", "0", "how many to send; 0: as many as --duration allows", count)
	parsed(flags, &b.duration, "duration", "duration", "10s", "for how long to send; with --requests no limit unless given",
		between(time.Millisecond, maxRun))
	parsed(flags, &b.inFlight, "in-flight", "n", "64", "how many requests are under way at most", upTo(1, maxInFlight))
	parsed(flags, &b.rate, "rate", "n", "0", "how many requests a second are due; 0: as fast as receipts come", perSecond)
	parsed(flags, &b.size, "size", "bytes", "128", "how large the data of a request is; 0: no data", dataSize)
	parsed(flags, &b.carrier, "carrier", "websocket|tcp|handler", "websocket", "what connects its own clients; a handler is Go code",
		oneOf(bus.CarrierWebSocket, bus.CarrierTCP, bus.CarrierHandler))
	parsed(flags, &b.clients, "clients", "n", "10", "how many clients of its own it brings, which take turns", upTo(1, maxGuests))
	parsed(flags, &b.event, "event", "name", "bench", "event of the requests", api.ParseEvent)
	parsed(flags, &b.require, "require", "any|all|N", "any", "how many must reach the level", bus.ParseRequirement)
	parsed(flags, &b.level, "level", "level", "confirmed", "what counts: confirmed, written or claimed", bus.ParseLevel)
	parsed(flags, &b.timeout, "timeout", "duration", "5s", "how long to wait for a receipt, 10m at most",
		between(time.Millisecond, maxTimeout))
	flags.BoolVar(&b.json, "json", false, "print the result as JSON")
}

// dataSize reads the size of a JSON text: two bytes are its quotes.
func dataSize(text string) (int, error) {
	n, err := count(text)
	if err != nil || n == 1 || n > api.DefaultMaxData {
		return 0, fmt.Errorf("want 0, or a whole number from 2 to %d", api.DefaultMaxData)
	}
	return n, nil
}

func upTo(least, most int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := count(text)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("want a whole number from %d to %d", least, most)
		}
		return n, nil
	}
}

func (b *bench) run(cmd *cobra.Command, args []string) error {
	if err := b.check(cmd.Flags(), args); err != nil {
		return err
	}
	ctx, stop := signalled(cmd.Context())
	defer stop()
	target, err := b.aim(ctx, cmd)
	if err != nil {
		return err
	}
	defer target.close()
	if b.url == "" && !cmd.Flags().Changed("redis") {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "bench: this is where a serve without --redis has its Redis, which is for development: "+
			"its figures are not those of a redis-server")
	}
	l, err := load.New(load.Options{Requests: b.requests, Duration: b.duration, InFlight: b.inFlight, Rate: b.rate, Send: target.send})
	if err != nil {
		return usageError("%w", plain.Error(err))
	}
	bar := newBar(cmd.ErrOrStderr())
	result := l.Run(ctx, barInterval, bar.show)
	bar.end()
	return b.report(cmd.OutOrStdout(), &result)
}

// check reads TO and holds the flags against each other.
func (b *bench) check(flags *pflag.FlagSet, args []string) (err error) {
	if len(args) > 0 {
		if b.to, err = api.ParseTo(args[0]); err != nil {
			return usageError("%w", plain.Error(err))
		}
		for _, own := range []string{"carrier", "clients"} {
			if flags.Changed(own) {
				return usageError("--%s is about clients that bench brings, and with an address it brings none", own)
			}
		}
	}
	if b.url != "" && b.to.IsZero() && b.carrier != bus.CarrierWebSocket {
		return usageError("--carrier %s: with --url clients of its own come over the node's WebSocket; start others by ackbus connect, "+
			"and give their address", b.carrier)
	}
	if b.requests > 0 && !flags.Changed("duration") {
		b.duration = 0
	}
	return nil
}

// data is JSON of the size: a text.
func (b *bench) data() []byte {
	if b.size == 0 {
		return nil
	}
	text := bytes.Repeat([]byte("x"), b.size)
	text[0], text[b.size-1] = '"', '"'
	return text
}

// report prints the result; the command has failed if it is not what was asked for.
func (b *bench) report(to io.Writer, r *load.Result) error {
	printed := printBench
	if b.json {
		printed = printBenchJSON
	}
	if err := printed(to, b, r); err != nil {
		return err
	}
	if r.Requests == 0 || r.Unmet > 0 {
		return &exitError{code: exitFailed} // the table has said what
	}
	return nil
}

// target is where the requests go.
type target struct {
	send  func(ctx context.Context, number int) load.Answer
	close func()
}

// aim finds whom to send to, and how. The caller closes what it returns.
func (b *bench) aim(ctx context.Context, cmd *cobra.Command) (*target, error) {
	log := b.log.quietly(cmd)
	if b.url != "" {
		return b.aimAtNode(ctx, log)
	}
	return b.aimAtBus(ctx, cmd, log)
}

// addressees are the addresses that take turns, and what ends those behind them.
func (b *bench) addressees(ctx context.Context, log *slog.Logger, invite func(context.Context, *slog.Logger) (*benchGuests, error),
) ([]bus.Address, func(), error) {
	if !b.to.IsZero() {
		return []bus.Address{b.to}, func() {}, nil
	}
	guests, err := invite(ctx, log)
	if err != nil {
		return nil, nil, err
	}
	return guests.addresses, guests.close, nil
}
