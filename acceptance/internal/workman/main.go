// Command workman is a worker in a process of its own, which a test stops and kills. It writes what it does to an event file, and ends
// when its input does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/ackbus/ackbus/acceptance/internal/ledger"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/worker"
)

func main() {
	if err := work(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "workman:", err)
		os.Exit(1) //nolint:forbidigo // main ends the process
	}
}

// options are what the arguments say.
type options struct {
	redis, prefix, name, events, queue string
	schedule, fires                    string
	concurrency                        int
	lease                              time.Duration
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("workman", flag.ContinueOnError)
	f.StringVar(&o.redis, "redis", "", "the `URL` of Redis")
	f.StringVar(&o.prefix, "prefix", "", "what its keys begin with")
	f.StringVar(&o.name, "name", "", "of the node, and of the event file")
	f.StringVar(&o.events, "events", "", "the `DIR` of the event files")
	f.StringVar(&o.queue, "queue", "", "which `QUEUE` to work at; empty: none")
	f.StringVar(&o.schedule, "schedule", "", "the `CRON` of a schedule named tick; empty: none")
	f.StringVar(&o.fires, "fires", "", "the `QUEUE` that the schedule's jobs go to")
	f.IntVar(&o.concurrency, "concurrency", 10, "how many jobs run at once")
	f.DurationVar(&o.lease, "lease", 0, "after how long without a sign of life others take over at the latest; 0: the default")
	return o, f.Parse(args)
}

func work(args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	events, err := ledger.Create(o.events, o.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b, err := bus.Open(ctx, o.redis, &bus.Options{Name: o.name, Prefix: o.prefix, Logger: log})
	if err != nil {
		return err
	}
	defer b.Close()
	jobs, err := worker.Open(ctx, b, o.redis, &worker.Options{Logger: log})
	if err != nil {
		return err
	}
	defer jobs.Close()
	pool := jobs.Pool(&worker.PoolOptions{Lease: o.lease})
	if o.queue != "" {
		h := &hands{name: o.name, events: events}
		worker.Handle(pool, o.queue, h.do, worker.Concurrency(o.concurrency))
	}
	if o.schedule != "" {
		pool.Schedule(worker.Schedule{Name: "tick", Queue: o.fires, Cron: o.schedule, Job: Task{}, CatchUp: worker.CatchUpAll,
			Options: []worker.EnqueueOption{worker.Keep(time.Hour)}})
	}
	input := run.New(ctx)
	input.Go(func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it, or is gone
	})
	log.Info("works", slog.Time("clock", time.Now()))
	err = pool.Run(ctx)
	input.Stop()
	input.Wait()
	return err
}
