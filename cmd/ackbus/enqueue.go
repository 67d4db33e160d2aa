package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
	"github.com/ackbus/ackbus/worker"
)

// An enqueue is the command of that name.
type enqueue struct {
	log  *logFlags
	bus  busFlags
	job  api.Job
	wait time.Duration
	json bool
}

func newEnqueue(log *logFlags) *cobra.Command {
	e := &enqueue{log: log}
	cmd := &cobra.Command{
		Use:   "enqueue QUEUE DATA",
		Short: "Put a job into a queue, and await its result with --wait",
		Long: `Put a job into a queue, and await its result with --wait.

DATA is JSON, @FILE for the content of a file, or - for standard input. Without --wait the job's ID is printed once Redis has the job. With
--wait its result is printed; a job that does not finish in time goes on.`,
		Example: `  ackbus enqueue thumbnails '{"image":7}' --max-attempts 3
  ackbus enqueue sums '[1,2,3]' --wait 5s`,
		Args: cobra.ExactArgs(2),
		RunE: running(e.run),
	}
	e.add(cmd.Flags())
	return cmd
}

func (e *enqueue) add(flags *pflag.FlagSet) {
	e.bus.addObserver(flags)
	duration := between(0, api.MaxDelay)
	parsed(flags, &e.wait, "wait", "duration", "0s", "await the result for so long, 10m at most; 0s: don't", between(0, maxTimeout))
	parsed(flags, &e.job.Delay, "delay", "duration", "0s", "start it not before this time has passed", duration)
	parsed(flags, &e.job.Unique, "unique", "key", "", "refuse it while another job of the queue holds this key", api.ParseUnique)
	parsed(flags, &e.job.UniqueFor, "unique-for", "duration", "0s",
		"how long the key is held; 0s: until the job is finished, dead or deleted", duration)
	parsed(flags, &e.job.MaxAttempts, "max-attempts", "n", "5", fmt.Sprintf("how often it is tried, %d at most", api.MaxAttempts), attempts)
	parsed(flags, &e.job.Priority, "priority", "priority", "normal", "high, normal or low", api.ParsePriority)
	parsed(flags, &e.job.ID, "id", "id", "", "ID of the job; one that the queue knows is not enqueued again", api.ParseJobID)
	parsed(flags, &e.job.Keep, "keep", "duration", "0s", "how long the result is kept, to be read by the ID", duration)
	parsed(flags, &e.job.TimeLimit, "time-limit", "duration", "30m", "how long one attempt may take",
		between(time.Millisecond, api.MaxDelay))
	parsed(flags, &e.job.StartWithin, "start-within", "duration", "0s",
		"don't start it later than this after it was due; 0s: no such limit", duration)
	flags.BoolVar(&e.json, "json", false, "print JSON")
}

func attempts(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > api.MaxAttempts {
		return 0, fmt.Errorf("want a whole number from 1 to %d", api.MaxAttempts)
	}
	return n, nil
}

func (e *enqueue) run(cmd *cobra.Command, args []string) error {
	if e.job.UniqueFor > 0 && e.job.Unique == "" {
		return usageError("--unique-for wants --unique")
	}
	err := checkQueue(args[0])
	if err != nil {
		return err
	}
	if e.job.Data, err = readData(args[1], cmd.InOrStdin()); err != nil {
		return err
	}
	ctx, stop := signalled(cmd.Context())
	defer stop()
	jobs, done, err := e.bus.queuesAsObserver(ctx, cmd, e.log)
	if err != nil {
		return err
	}
	defer done()
	q := jobs.Queue(args[0])
	if e.wait > 0 {
		return e.await(ctx, q, cmd)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	id, err := q.Enqueue(ctx, e.job.Data, e.job.Options()...)
	if err != nil {
		return e.explain(cmd.OutOrStdout(), err)
	}
	if e.json {
		return printJSON(cmd.OutOrStdout(), api.Enqueued{ID: id})
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), oneLine(string(id)))
	return err
}

// await prints the result, or what else became of the job.
func (e *enqueue) await(ctx context.Context, q *worker.Queue, cmd *cobra.Command) error {
	ctx, cancel := context.WithTimeout(ctx, e.wait)
	defer cancel()
	opts := e.job.Options()
	if errOut := cmd.ErrOrStderr(); isTerminal(errOut) {
		opts = append(opts, worker.OnProgress(func(body bus.Body) { showProgress(errOut, body) }))
	}
	result, err := q.CallBody(ctx, e.job.Data, opts...)
	if err != nil {
		return e.explain(cmd.OutOrStdout(), err)
	}
	if e.json {
		return printJSON(cmd.OutOrStdout(), api.ResultOf(result))
	}
	return printBody(cmd.OutOrStdout(), result.Body)
}

// explain prints what became of the job, where that is asked for in JSON, and leaves it to the error otherwise.
func (e *enqueue) explain(to io.Writer, err error) error {
	u, ok := api.UnfinishedOf(err)
	switch {
	case !ok:
		return err
	case e.json:
		return errors.Join(printJSON(to, u), &exitError{code: exitFailed})
	}
	return &exitError{exitFailed, fmt.Errorf("%s", oneLine(u.Error.Message))}
}

func showProgress(to io.Writer, body bus.Body) {
	if raw, err := body.AsJSON(); err == nil {
		_, _ = fmt.Fprintf(to, "progress: %s\n", clip(string(raw)))
	}
}

// printBody prints a body as a line of JSON.
func printBody(to io.Writer, body bus.Body) error {
	raw, err := body.AsJSON()
	if err != nil {
		return plain.Error(err)
	}
	_, err = fmt.Fprintf(to, "%s\n", raw)
	return err
}
