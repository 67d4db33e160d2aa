package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
	"github.com/ackbus/ackbus/worker"
)

// A Result is what a job came to, in its public shape.
type Result struct {
	ID      worker.JobID `json:"id"`
	Result  bus.Body     `json:"result"`
	Worker  string       `json:"worker"`  // the readable name of its node
	Attempt int          `json:"attempt"` // from 1
	Waited  float64      `json:"waited_ms"`
	Ran     float64      `json:"ran_ms"`
}

// ResultOf puts a result into its public shape.
func ResultOf(r *worker.Result) Result {
	return Result{ID: r.ID, Result: r.Body, Worker: r.Worker, Attempt: r.Attempt, Waited: inMilliseconds(r.Waited),
		Ran: inMilliseconds(r.Ran)}
}

func inMilliseconds(d time.Duration) float64 { return float64(d/time.Microsecond) / 1000 }

// Unfinished says why a job that was awaited has no result, or was not taken in: its ID, or that of the one that stands in its way.
type Unfinished struct {
	ID    worker.JobID  `json:"id"`
	Error bus.Rejection `json:"error"`
}

// UnfinishedOf is what an error says of a job; false where it names none.
func UnfinishedOf(err error) (Unfinished, bool) {
	if ended, ok := errors.AsType[*worker.JobError](err); ok {
		return unfinished(ended.ID, ended.Code, plain.Text(ended)), true
	}
	if waited, ok := errors.AsType[*worker.WaitError](err); ok {
		return unfinished(waited.ID, "timeout", fmt.Sprintf("job %s has not finished in time, and goes on", waited.ID)), true
	}
	if held, ok := errors.AsType[*worker.DuplicateError](err); ok {
		return unfinished(held.ID, "duplicate", "unique: "+plain.Text(held)), true
	}
	return Unfinished{}, false
}

func unfinished(id worker.JobID, code, message string) Unfinished {
	return Unfinished{id, bus.Rejection{Code: code, Message: message}}
}

// writeResult answers with a result, or with what has become of the job.
func writeResult(w http.ResponseWriter, r *http.Request, result *worker.Result, err error) error {
	if err == nil {
		return writeJSON(w, r, http.StatusOK, ResultOf(result))
	}
	u, ok := UnfinishedOf(err)
	if !ok {
		return err
	}
	return writeJSON(w, r, unfinishedStatus(err), u)
}

func unfinishedStatus(err error) int {
	switch {
	case errors.Is(err, worker.ErrExpired), errors.Is(err, worker.ErrDeleted), errors.Is(err, worker.ErrDropped),
		errors.Is(err, worker.ErrGone):
		return http.StatusGone
	case errors.Is(err, worker.ErrDead):
		return http.StatusUnprocessableEntity
	}
	if _, held := errors.AsType[*worker.DuplicateError](err); held {
		return http.StatusConflict
	}
	return http.StatusGatewayTimeout
}
