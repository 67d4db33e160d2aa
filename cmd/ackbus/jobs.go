package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
	"github.com/ackbus/ackbus/worker"
)

// checkQueue refuses names that no queue has, before Redis is asked.
func checkQueue(name string) error {
	if _, err := api.ParseQueue(name); err != nil {
		return usageError("bad queue %q: %w", clip(name), err)
	}
	return nil
}

// openJobs opens the queues on the Redis of a bus that was joined. A Redis that does not answer in time is unreachable.
func (f *busFlags) openJobs(ctx context.Context, b *bus.Bus, opts *worker.Options) (*worker.Jobs, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	jobs, err := worker.Open(ctx, b, f.redis, opts)
	if errors.Is(err, worker.ErrUnavailable) || errors.Is(err, worker.ErrUnknown) {
		return nil, unreachable(err)
	}
	return jobs, err
}

// queuesOfNode opens the queues for a node; none where Redis lets it publish and subscribe, but keep no jobs: then it goes without.
func (f *busFlags) queuesOfNode(ctx context.Context, b *bus.Bus, opts *worker.Options) (*worker.Jobs, error) {
	jobs, err := f.openJobs(ctx, b, opts)
	if _, coded := errors.AsType[*exitError](err); err != nil && !coded {
		opts.Logger.Warn("no job queues at this node: Redis refuses what they need", "error", plain.Text(err))
		return nil, nil //nolint:nilnil // a node without queues is a whole node
	}
	return jobs, err
}

// queuesAsObserver joins the bus and opens its queues for the life of one command. The caller calls done.
func (f *busFlags) queuesAsObserver(ctx context.Context, cmd *cobra.Command, log *logFlags) (jobs *worker.Jobs, done func(), err error) {
	b, err := f.joinAsObserver(ctx, cmd, log)
	if err != nil {
		return nil, nil, err
	}
	jobs, err = f.openJobs(ctx, b, &worker.Options{Logger: log.quietly(cmd)})
	if err != nil {
		_ = b.Close() // what counts is why there are no queues
		return nil, nil, f.hint(cmd, err)
	}
	return jobs, func() { closeJobs(jobs, b, log.quietly(cmd)) }, nil
}

// closeJobs leaves the queues, then the bus.
func closeJobs(jobs *worker.Jobs, b *bus.Bus, log *slog.Logger) {
	if err := errors.Join(jobs.Close(), b.Close()); err != nil {
		log.Debug("closed with errors", "error", plain.Text(err))
	}
}
