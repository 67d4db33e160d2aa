package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/worker"
)

// What dead does.
const (
	listDead   = "list"
	showDead   = "show"
	retryDead  = "retry"
	deleteDead = "delete"
)

// A dead is the command of that name.
type dead struct {
	log    *logFlags
	bus    busFlags
	all    bool
	limit  int
	offset int
	json   bool
}

func newDead(log *logFlags) *cobra.Command {
	d := &dead{log: log}
	cmd := &cobra.Command{
		Use:   "dead QUEUE [list|show|retry|delete] [ID|--all]",
		Short: "List the dead letters of a queue, show, retry or delete them",
		Long: `List the dead letters of a queue, show, retry or delete them.

A job is dead once its attempts are used up, or when its handler refused it. It is kept with its data and every attempt's worker, time and
error, until it is retried or deleted.`,
		Example: `  ackbus dead thumbnails
  ackbus dead thumbnails show 0193d8a1-7c5e-7b52-9d2a-4f0c3b1e6a77
  ackbus dead thumbnails retry --all`,
		Args: cobra.RangeArgs(1, 3),
		RunE: running(d.run),
	}
	flags := cmd.Flags()
	d.bus.addObserver(flags)
	flags.BoolVar(&d.all, "all", false, "retry or delete every job that is dead by now")
	parsed(flags, &d.limit, "limit", "n", "20", fmt.Sprintf("how many to list, %d at most", api.MaxDead), atLeastOne)
	parsed(flags, &d.offset, "offset", "n", "0", "how many of the newest to leave out of the list", count)
	flags.BoolVar(&d.json, "json", false, "print JSON")
	return cmd
}

func (d *dead) run(cmd *cobra.Command, args []string) error {
	action, id, err := d.read(args)
	if err == nil {
		err = checkQueue(args[0])
	}
	if err != nil {
		return err
	}
	ctx, stop := signalled(cmd.Context())
	defer stop()
	jobs, done, err := d.bus.queuesAsObserver(ctx, cmd, d.log)
	if err != nil {
		return err
	}
	defer done()
	q, to := jobs.Queue(args[0]), cmd.OutOrStdout()
	if d.all {
		return d.forAll(ctx, q, action, to) // there may be 100,000: without a time limit
	}
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	switch action {
	case showDead:
		return d.show(ctx, q, id, to)
	case retryDead:
		return d.told(q.RetryDead(ctx, id), to, id, "waits again")
	case deleteDead:
		return d.told(q.DeleteDead(ctx, id), to, id, "is deleted")
	}
	return d.list(ctx, q, to)
}

// read takes QUEUE [ACTION] [ID].
func (d *dead) read(args []string) (action string, id worker.JobID, err error) {
	if action = listDead; len(args) > 1 {
		action = args[1]
	}
	actions := []string{listDead, showDead, retryDead, deleteDead}
	if !slices.Contains(actions, action) {
		return "", "", usageError("bad action %q: want %s", clip(action), strings.Join(actions, ", "))
	}
	if len(args) > 2 {
		if id, err = api.ParseJobID(args[2]); err != nil {
			return "", "", usageError("bad ID %q: %w", clip(args[2]), err)
		}
	}
	switch {
	case d.all && (action == listDead || action == showDead):
		return "", "", usageError("--all goes with %s and %s; list shows all that --limit allows", retryDead, deleteDead)
	case action == listDead && id != "":
		return "", "", usageError("%s takes no ID; did you mean %s?", listDead, showDead)
	case action != listDead && !d.all && id == "":
		return "", "", usageError("%s wants an ID%s", action, orAll(action))
	case d.all && id != "":
		return "", "", usageError("%s wants an ID or --all, not both", action)
	}
	return action, id, nil
}

func orAll(action string) string {
	if action == showDead {
		return ""
	}
	return ", or --all"
}

func (d *dead) list(ctx context.Context, q *worker.Queue, to io.Writer) error {
	page, err := q.Dead(ctx, d.offset, min(d.limit, api.MaxDead))
	if err != nil {
		return err
	}
	if d.json {
		return printJSON(to, page)
	}
	g := newGrid(to, "id", "died", "attempts", "worker", "code", "last error", "data")
	for i := range page.Jobs {
		job := &page.Jobs[i]
		var last worker.Attempt
		if n := len(job.Attempts); n > 0 {
			last = job.Attempts[n-1]
		}
		g.row(oneLine(string(job.ID)), moment(job.Died), job.Forgotten+len(job.Attempts), orDash(last.Worker), orDash(job.Code),
			orDash(last.Error), bodyCell(job))
	}
	if err := g.print(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(to, "%d of %d\n", len(page.Jobs), page.Total)
	return err
}

func (d *dead) show(ctx context.Context, q *worker.Queue, id worker.JobID, to io.Writer) error {
	job, err := q.Job(ctx, id)
	if err != nil {
		return err
	}
	if job.State != worker.StateDead {
		return fmt.Errorf("job %s is %s, not dead", oneLine(string(id)), job.State)
	}
	if d.json {
		return printJSON(to, job)
	}
	data, err := job.Body.AsJSON()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to, "job       %s\nenqueued  %s\ndied      %s (%s)\npriority  %s\ndata      %s\n", oneLine(string(job.ID)),
		moment(job.Enqueued), moment(job.Died), oneLine(job.Code), job.Priority, oneLine(string(data)))
	if err != nil {
		return err
	}
	g := newGrid(to, "attempt", "worker", "started", "took", "error")
	for i, a := range job.Attempts {
		g.row(job.Forgotten+i+1, orDash(a.Worker), moment(a.Started), age(a.Ended.Sub(a.Started)), oneLine(a.Error))
	}
	return g.print()
}

// forAll does something with every dead job, and tells how many they were.
func (d *dead) forAll(ctx context.Context, q *worker.Queue, action string, to io.Writer) error {
	do, became := q.RetryAllDead, "wait again"
	if action == deleteDead {
		do, became = q.DeleteAllDead, "are deleted"
	}
	n, err := do(ctx)
	if err != nil {
		return err
	}
	if d.json {
		return printJSON(to, struct {
			Count int `json:"count"`
		}{n})
	}
	_, err = fmt.Fprintf(to, "%d %s\n", n, became)
	return err
}

// told says what became of one job.
func (d *dead) told(err error, to io.Writer, id worker.JobID, became string) error {
	if err != nil {
		return err
	}
	if d.json {
		return printJSON(to, api.Enqueued{ID: id})
	}
	_, err = fmt.Fprintf(to, "%s %s\n", oneLine(string(id)), became)
	return err
}

// moment is a time for people.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime + " UTC")
}

// bodyCell is the job's data, shortened.
func bodyCell(job *worker.JobInfo) string {
	raw, err := job.Body.AsJSON()
	if err != nil {
		return clip(err.Error())
	}
	return clip(string(raw))
}
