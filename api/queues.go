package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ackbus/ackbus/worker"
)

// queueRoutes are what may be done with jobs.
func (a *API) queueRoutes() []route {
	const queue = "/v1/queues/{queue}"
	return []route{
		{method: http.MethodGet, path: queue, serve: a.queueInfo},
		{method: http.MethodPost, path: queue + "/pause", serve: a.pause(true)},
		{method: http.MethodPost, path: queue + "/resume", serve: a.pause(false)},
		{method: http.MethodPost, path: queue + "/jobs", serve: a.enqueue},
		{method: http.MethodGet, path: queue + "/jobs/{id}", serve: a.job},
		{method: http.MethodDelete, path: queue + "/jobs/{id}", serve: a.forJob((*worker.Queue).Delete)},
		{method: http.MethodGet, path: queue + "/jobs/{id}/result", serve: a.result},
		{method: http.MethodGet, path: queue + "/dead", serve: a.dead},
		{method: http.MethodPost, path: queue + "/retry", serve: a.forAllDead((*worker.Queue).RetryAllDead)},
		{method: http.MethodDelete, path: queue + "/dead", serve: a.forAllDead((*worker.Queue).DeleteAllDead)},
		{method: http.MethodPost, path: queue + "/dead/{id}/retry", serve: a.forJob((*worker.Queue).RetryDead)},
		{method: http.MethodDelete, path: queue + "/dead/{id}", serve: a.forJob((*worker.Queue).DeleteDead)},
	}
}

// Enqueued is the answer about a job that was taken in, or told what to do.
type Enqueued struct {
	ID worker.JobID `json:"id"`
}

func (a *API) queueOf(r *http.Request) *worker.Queue { return a.opts.Jobs.Queue(r.PathValue("queue")) }

// bounded is the context of a call that only asks Redis.
func bounded(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), defaultTimeout)
}

func (a *API) queues(w http.ResponseWriter, r *http.Request) error {
	if err := noParameters(r); err != nil {
		return err
	}
	ctx, cancel := bounded(r)
	defer cancel()
	found, err := a.opts.Jobs.Queues(ctx)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, struct {
		Queues []worker.QueueInfo `json:"queues"`
	}{found})
}

func (a *API) queueInfo(w http.ResponseWriter, r *http.Request) error {
	if err := noParameters(r); err != nil {
		return err
	}
	ctx, cancel := bounded(r)
	defer cancel()
	info, err := a.queueOf(r).Info(ctx)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, info)
}

func (a *API) pause(paused bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := noParameters(r); err != nil {
			return err
		}
		ctx, cancel := bounded(r)
		defer cancel()
		q := a.queueOf(r)
		do := q.Resume
		if paused {
			do = q.Pause
		}
		if err := do(ctx); err != nil {
			return err
		}
		return writeJSON(w, r, http.StatusAccepted, struct {
			Name   string `json:"name"`
			Paused bool   `json:"paused"`
		}{q.Name(), paused})
	}
}

// enqueue takes a job in, and awaits its result where ?wait_ms= asks for it.
func (a *API) enqueue(w http.ResponseWriter, r *http.Request) error {
	wait, err := waitParameter(r)
	if err != nil {
		return err
	}
	var j Job
	done, err := a.readJob(w, r, &j)
	if err != nil {
		return err
	}
	defer done()
	if wait > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), wait)
		defer cancel()
		result, err := a.queueOf(r).CallBody(ctx, j.Data, j.Options()...)
		return writeResult(w, r, result, err)
	}
	ctx, cancel := bounded(r)
	defer cancel()
	id, err := a.queueOf(r).Enqueue(ctx, j.Data, j.Options()...)
	if err != nil {
		return writeResult(w, r, nil, err)
	}
	return writeJSON(w, r, http.StatusAccepted, Enqueued{id})
}

// waitParameter reads ?wait_ms=; 0 where it is not there.
func waitParameter(r *http.Request) (time.Duration, error) {
	values, err := parameters(r, "wait_ms")
	if err != nil {
		return 0, err
	}
	ms, err := wholeParameter(values, "wait_ms", 1, int(maxTimeout/time.Millisecond), 0)
	return time.Duration(ms) * time.Millisecond, err
}

// result tells the result of a job that was enqueued before: while it is kept, or as soon as it comes.
func (a *API) result(w http.ResponseWriter, r *http.Request) error {
	wait, err := waitParameter(r)
	if err != nil {
		return err
	}
	q, id := a.queueOf(r), worker.JobID(r.PathValue("id"))
	if wait > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), wait)
		defer cancel()
		result, err := q.Await(ctx, id)
		return writeResult(w, r, result, err)
	}
	ctx, cancel := bounded(r)
	defer cancel()
	result, err := q.Result(ctx, id)
	if errors.Is(err, worker.ErrNotFinished) {
		return writeJSON(w, r, http.StatusAccepted, Enqueued{id})
	}
	return writeResult(w, r, result, err)
}

// job tells what is known of a job.
func (a *API) job(w http.ResponseWriter, r *http.Request) error {
	if err := noParameters(r); err != nil {
		return err
	}
	ctx, cancel := bounded(r)
	defer cancel()
	found, err := a.queueOf(r).Job(ctx, worker.JobID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, found)
}

// forJob does something with the job that the path names.
func (a *API) forJob(do func(*worker.Queue, context.Context, worker.JobID) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := noParameters(r); err != nil {
			return err
		}
		ctx, cancel := bounded(r)
		defer cancel()
		id := worker.JobID(r.PathValue("id"))
		if err := do(a.queueOf(r), ctx, id); err != nil {
			return err
		}
		return writeJSON(w, r, http.StatusAccepted, Enqueued{id})
	}
}
