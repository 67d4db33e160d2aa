package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/worker"
)

// A work is the command of that name.
type work struct {
	runner

	log *logFlags
}

func newWork(log *logFlags) *cobra.Command {
	w := &work{runner{purpose: "does a job"}, log}
	cmd := &cobra.Command{
		Use:   "work QUEUE --exec CMD",
		Short: "Work at a queue with any program: the job on standard input, the result on standard output",
		Long: `Work at a queue with any program: the job on standard input, the result on standard output.

CMD runs through sh -c, once for each job. Exit status 0 completes the job: output that is JSON is the result, other text becomes a string
without its last newline. Any other status is a failed attempt: the job is tried again later, and goes to the dead letters once its attempts
are used up. In its environment are ACKBUS_JOB_ID, ACKBUS_JOB_QUEUE, ACKBUS_JOB_ATTEMPT, ACKBUS_JOB_MAX_ATTEMPTS, ACKBUS_JOB_PRIORITY and
ACKBUS_JOB_TOKEN, a number that grows with every start of the job.

A job whose time limit or lease is over, or that was deleted, has its program ended, with all that the program has started: SIGTERM, and
SIGKILL a second later. SIGTERM to ackbus drains: no new jobs, those that run are awaited up to --drain, what is left goes to other workers,
and it ends with 0; a second signal ends it at once.`,
		Example: `  ackbus work thumbnails --exec 'jq -r .image | xargs ./thumbnail.sh' --concurrency 4`,
		Args:    cobra.ExactArgs(1),
		RunE:    running(w.run),
	}
	w.add(cmd.Flags(), "jobs", "worker")
	return cmd
}

func (w *work) run(cmd *cobra.Command, args []string) error {
	if err := w.check(); err != nil {
		return err
	}
	if err := checkQueue(args[0]); err != nil {
		return err
	}
	ctx, stop := signalled(cmd.Context())
	defer stop()
	log := w.log.logger(cmd.ErrOrStderr())
	b, err := w.open(ctx, cmd, log)
	if err != nil {
		return err
	}
	defer w.admin.close()
	jobs, err := w.bus.openJobs(ctx, b, &worker.Options{Logger: log, Metrics: w.registry})
	if err != nil {
		_ = b.Close() // what counts is why there are no queues
		return w.bus.hint(cmd, err)
	}
	defer closeJobs(jobs, b, log)
	pool := jobs.Pool(&worker.PoolOptions{Drain: negativeIfNone(w.drain)})
	pool.HandleBody(args[0], w.handler(log), worker.Concurrency(w.concurrency))
	log.Info("working", "queue", args[0], "node", b.Node().Name, "id", b.Node().ID, "concurrency", w.concurrency,
		"admin", w.admin.url())
	quit := context.AfterFunc(ctx, func() { log.Info("draining", "up_to", w.drain.String()) })
	defer quit()
	err = pool.Run(ctx)
	w.running.Wait() // a program is ended within a second and a bit of its context's end
	if errors.Is(err, worker.ErrAbandoned) {
		err = nil // they have returned by now
	}
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// negativeIfNone is how package worker takes no time at all.
func negativeIfNone(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// handler runs the program for a job.
func (w *work) handler(log *slog.Logger) func(context.Context, *worker.Job) (bus.Body, error) {
	return func(ctx context.Context, job *worker.Job) (bus.Body, error) {
		result, err := w.launch(ctx, job.Body, map[string]string{
			"ACKBUS_JOB_ID":           string(job.ID),
			"ACKBUS_JOB_QUEUE":        job.Queue,
			"ACKBUS_JOB_ATTEMPT":      strconv.Itoa(job.Attempt),
			"ACKBUS_JOB_MAX_ATTEMPTS": strconv.Itoa(job.MaxAttempts),
			"ACKBUS_JOB_PRIORITY":     job.Priority.String(),
			"ACKBUS_JOB_TOKEN":        strconv.FormatUint(job.Token, 10),
		}, log.With("job", job.ID, "attempt", job.Attempt))
		if err != nil && !result.IsZero() {
			if said, encodeErr := result.AsJSON(); encodeErr == nil {
				err = fmt.Errorf("%w: %.200s", err, said)
			}
		}
		return result, err
	}
}
