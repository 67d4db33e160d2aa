package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/worker"
)

// Every error of package worker is an answer with its status, and a message in one line that means something to a caller.
func TestMessagesAboutJobs(t *testing.T) {
	during := func(err error) error { return fmt.Errorf("worker: enqueue in q: %w", err) }
	for _, c := range []struct {
		err    error
		status int
		code   string
		want   string
	}{
		{worker.ErrUnavailable, http.StatusServiceUnavailable, "unavailable", "Redis can't be reached"},
		{errors.Join(worker.ErrUnavailable, context.DeadlineExceeded), http.StatusServiceUnavailable, "unavailable", "can't be reached"},
		{errors.Join(worker.ErrUnknown, context.DeadlineExceeded), http.StatusGatewayTimeout, "unknown", "may have been done"},
		{worker.ErrMemory, http.StatusServiceUnavailable, "overloaded", "out of memory"},
		{worker.ErrQueueFull, http.StatusServiceUnavailable, "overloaded", "the queue is full"},
		{worker.ErrClosed, http.StatusServiceUnavailable, "unavailable", "closing"},
		{worker.ErrNoJob, http.StatusNotFound, "not_found", "no such job"},
		{fmt.Errorf("%w: 2 bytes", worker.ErrTooLarge), http.StatusRequestEntityTooLarge, "too_large", "data: job too large: 2 bytes"},
		{fmt.Errorf("%w: queue %q: want less", worker.ErrName, "q"), http.StatusBadRequest, "bad_request", `queue "q": want less`},
	} {
		status, code, message := api.FailureOf(during(c.err))
		if status != c.status || code != c.code || !strings.Contains(message, c.want) || unreadable.MatchString(message) {
			t.Errorf("%v: %d %s %q, want %d %s %q", c.err, status, code, message, c.status, c.code, c.want)
		}
	}
}

// What became of an awaited job is told with its ID; an error that names no job is not.
func TestUnfinishedOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		code string
		want string
	}{
		{&worker.JobError{ID: "j", Code: "dead", Message: "boom", Worker: "w1", Attempts: 3}, "dead",
			"job j: dead after attempt 3 at w1: boom"},
		{&worker.JobError{ID: "j", Code: "expired"}, "expired", "job j: expired"},
		{&worker.WaitError{ID: "j", Cause: context.DeadlineExceeded}, "timeout", "job j has not finished in time, and goes on"},
		{&worker.DuplicateError{Key: "k", ID: "j"}, "duplicate", `unique: unique key "k" is held by job j`},
	} {
		u, ok := api.UnfinishedOf(fmt.Errorf("worker: await job in q: %w", c.err))
		if !ok || u.ID != "j" || u.Error.Code != c.code || u.Error.Message != c.want {
			t.Errorf("%v: %+v, want %s %q", c.err, u, c.code, c.want)
		}
	}
	if u, ok := api.UnfinishedOf(errors.Join(worker.ErrUnavailable)); ok {
		t.Errorf("%+v", u)
	}
}

// A full queue refuses; what makes room for others is told to those who await it.
func TestFullQueue(t *testing.T) {
	r := newRig(t, nil)
	q := openJobs(t, r.there).Queue("print")
	if err := q.SetLimits(t.Context(), worker.Limits{Length: 1}); err != nil {
		t.Fatal(err)
	}
	id := r.enqueued("print", `{"data":1}`)
	a := r.post("/v1/queues/print/jobs", `{"data":2}`)
	a.failed(t, http.StatusServiceUnavailable, "overloaded", "full")
	if a = r.call(http.MethodGet, "/v1/queues/print", ""); !strings.Contains(string(a.body), `"limits":{"length":1}`) {
		t.Errorf("%s", a.body)
	}
	if err := q.SetLimits(t.Context(), worker.Limits{Length: 1, DropOldest: true, DeadLetters: -1}); err != nil {
		t.Fatal(err)
	}
	if a = r.call(http.MethodGet, "/v1/queues/print", ""); !strings.Contains(string(a.body), `"dead_letters":-1`) {
		t.Errorf("%s", a.body)
	}
	r.enqueued("print", `{"data":3}`)
	if s := r.state("print", id); s != "not_found" {
		t.Errorf("the job that made room is %q", s)
	}
}
