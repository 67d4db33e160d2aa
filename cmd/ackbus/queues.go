package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/worker"
)

// queueTimeout is how long a command about a queue may take.
const queueTimeout = 5 * time.Second

// What queues can do with one queue.
const (
	pauseQueue  = "pause"
	resumeQueue = "resume"
)

// A queues is the command of that name.
type queues struct {
	log  *logFlags
	bus  busFlags
	json bool
}

func newQueues(log *logFlags) *cobra.Command {
	q := &queues{log: log}
	cmd := &cobra.Command{
		Use:   "queues [QUEUE [pause|resume]]",
		Short: "List the queues of jobs, or look at one, pause or resume it",
		Args:  cobra.MaximumNArgs(2),
		RunE:  running(q.run),
	}
	q.bus.addObserver(cmd.Flags())
	cmd.Flags().BoolVar(&q.json, "json", false, "print JSON")
	return cmd
}

func (q *queues) run(cmd *cobra.Command, args []string) error {
	if len(args) == 2 && args[1] != pauseQueue && args[1] != resumeQueue {
		return usageError("bad action %q: want %s or %s", clip(args[1]), pauseQueue, resumeQueue)
	}
	if len(args) > 0 {
		if err := checkQueue(args[0]); err != nil {
			return err
		}
	}
	ctx, stop := signalled(cmd.Context())
	defer stop()
	jobs, done, err := q.bus.queuesAsObserver(ctx, cmd, q.log)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	if len(args) == 0 {
		return q.list(ctx, cmd.OutOrStdout(), jobs)
	}
	queue := jobs.Queue(args[0])
	if len(args) == 2 {
		if err := steer(ctx, queue, args[1]); err != nil {
			return err
		}
	}
	info, err := queue.Info(ctx)
	if err != nil {
		return err
	}
	return q.show(cmd.OutOrStdout(), &info)
}

func steer(ctx context.Context, queue *worker.Queue, action string) error {
	if action == pauseQueue {
		return queue.Pause(ctx)
	}
	return queue.Resume(ctx)
}

func (q *queues) list(ctx context.Context, to io.Writer, jobs *worker.Jobs) error {
	found, err := jobs.Queues(ctx)
	if err != nil {
		return err
	}
	if q.json {
		return printJSON(to, struct {
			Queues []worker.QueueInfo `json:"queues"`
		}{found})
	}
	g := newGrid(to, "queue", "state", "workers", "waiting", "oldest", "running", "delayed", "dead", "done")
	for i := range found {
		one := &found[i]
		g.row(clip(one.Name), queueState(to, one), one.Workers, one.Waiting, age(one.Oldest), one.Running, one.Delayed, one.Dead, one.Done)
	}
	return g.print()
}

// show prints everything about one queue.
func (q *queues) show(to io.Writer, info *worker.QueueInfo) error {
	if q.json {
		return printJSON(to, info)
	}
	g := newGrid(to, "queue", oneLine(info.Name))
	g.row("state", queueState(to, info))
	g.row("workers", info.Workers)
	g.row("waiting", info.Waiting)
	g.row("oldest", age(info.Oldest))
	g.row("running", info.Running)
	g.row("delayed", info.Delayed)
	g.row("dead", info.Dead)
	g.row("done, ever", info.Done)
	g.row("retried, ever", info.Retried)
	g.row("died, ever", info.Died)
	g.row("dropped, ever", info.Dropped)
	g.row("dead letters dropped, ever", info.DeadDropped)
	for _, limit := range limitsOf(info.Limits) {
		g.row("limit", limit)
	}
	return g.print()
}

// limitsOf tells the limits that are set.
func limitsOf(l worker.Limits) (all []string) {
	if l.Rate > 0 {
		all = append(all, fmt.Sprintf("%d starts in %v", l.Rate, l.Per))
	}
	if l.Running > 0 {
		all = append(all, fmt.Sprintf("%d running", l.Running))
	}
	if l.Length > 0 {
		full := "then refused"
		if l.DropOldest {
			full = "then the oldest is dropped"
		}
		all = append(all, fmt.Sprintf("%d jobs, %s", l.Length, full))
	}
	return all
}

// queueState is red where jobs wait for workers that are not there.
func queueState(to io.Writer, info *worker.QueueInfo) string {
	switch {
	case info.Paused:
		return painted(to, "paused", text.FgYellow)
	case info.Workers > 0:
		return painted(to, "works", text.FgGreen)
	case info.Waiting > 0:
		return painted(to, "no worker", text.FgRed)
	}
	return "idle"
}

// age is a duration for people.
func age(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < time.Second:
		return elapsed(d)
	}
	return d.Round(time.Second).String()
}
