package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/plain"
)

// joinTimeout is how long a node or a command tries to reach Redis.
const joinTimeout = 3 * time.Second

// busFlags say which bus a command joins.
type busFlags struct {
	redis  string
	prefix string
	lanes  int
}

const redisUsage = "Redis URL: redis://, rediss://, unix:// or redis+sentinel://"

func (f *busFlags) add(flags *pflag.FlagSet, redis, absent string) {
	flags.StringVar(&f.redis, "redis", redis, redisUsage+absent)
	flags.StringVar(&f.prefix, "prefix", "ackbus:", "begins every Redis channel; the same at all nodes of a cluster")
	flags.IntVar(&f.lanes, "lanes", 4, "pub/sub connections; the same at all nodes of a cluster")
}

func (f *busFlags) addObserver(flags *pflag.FlagSet) {
	f.add(flags, "redis://"+embeddedAddress, "; the default is where a serve without --redis has its own")
}

// joinAsObserver joins the bus for the life of one command.
func (f *busFlags) joinAsObserver(ctx context.Context, cmd *cobra.Command, log *logFlags) (*bus.Bus, error) {
	opts := &bus.Options{Name: "ackbus " + cmd.Name(), Observer: true, Logger: log.quietly(cmd)}
	b, err := f.open(ctx, opts, nil)
	return b, f.hint(cmd, err)
}

// quietly is the logger of a command that lives for one request: what goes wrong is the command's to say.
func (l *logFlags) quietly(cmd *cobra.Command) *slog.Logger {
	quiet := *l
	if !cmd.Flags().Changed("log-level") {
		quiet.level = quietLevel
	}
	return quiet.logger(cmd.ErrOrStderr())
}

// hint tells a person who named no Redis which one can't be reached.
func (f *busFlags) hint(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*exitError](err); ok && e.code == exitUnreachable && !cmd.Flags().Changed("redis") {
		e.err = fmt.Errorf("%w (where a serve without --redis has its own; for another one give --redis or ACKBUS_REDIS)", e.err)
	}
	return err
}

// open attaches a node.
func (f *busFlags) open(ctx context.Context, opts *bus.Options, link *relay.Options) (*bus.Bus, error) {
	r, err := f.relay(ctx, opts, link)
	if err != nil {
		return nil, err
	}
	return f.join(ctx, r, opts)
}

// relay makes the way to Redis, without going it. What can't be read of the flags is wrong usage.
func (f *busFlags) relay(ctx context.Context, opts *bus.Options, link *relay.Options) (relay.Relay, error) {
	var o relay.Options
	if link != nil {
		o = *link
	}
	o.Prefix, o.Lanes, o.Logger, o.Metrics = f.prefix, f.lanes, opts.Logger, opts.Metrics
	r, err := relay.OpenRedis(ctx, f.redis, &o)
	if err != nil {
		return nil, usageError("%w", plain.Error(err))
	}
	return r, nil
}

// join attaches a node to the relay, which it closes in the end. A Redis that does not answer in time is unreachable.
func (f *busFlags) join(ctx context.Context, r relay.Relay, opts *bus.Options) (*bus.Bus, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	opts.Prefix, opts.Lanes = f.prefix, f.lanes
	b, err := bus.New(ctx, r, opts)
	if err != nil {
		_ = r.Close() // what counts is why the bus did not start
		return nil, unreachable(err)
	}
	return b, nil
}
