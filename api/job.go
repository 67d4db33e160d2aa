package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/worker"
)

const (
	// MaxAttempts is how often a job may be tried.
	MaxAttempts = 100
	// MaxDelay bounds every duration of a job.
	MaxDelay     = 10 * 365 * 24 * time.Hour
	maxJobID     = 128
	maxUniqueKey = 512
)

// A Job is what is enqueued, whether it comes in the body of a call or from a command line. The zero value of a field means the default of
// package worker.
type Job struct {
	Data        bus.Body
	ID          worker.JobID
	Priority    worker.Priority
	Delay       time.Duration
	Unique      string
	UniqueFor   time.Duration
	MaxAttempts int
	TimeLimit   time.Duration // of each attempt
	StartWithin time.Duration
	Keep        time.Duration // the result
}

// Options are what the job asks of its queue.
func (j *Job) Options() []worker.EnqueueOption {
	opts := []worker.EnqueueOption{worker.WithPriority(j.Priority), worker.Delay(j.Delay), worker.MaxAttempts(j.MaxAttempts),
		worker.TimeLimit(j.TimeLimit), worker.StartWithin(j.StartWithin), worker.Keep(j.Keep)}
	if j.ID != "" {
		opts = append(opts, worker.WithID(j.ID))
	}
	if j.Unique != "" {
		opts = append(opts, worker.Unique(j.Unique, j.UniqueFor))
	}
	return opts
}

// ParsePriority takes high, normal or low. Its error says so.
func ParsePriority(s string) (worker.Priority, error) {
	for _, p := range []worker.Priority{worker.High, worker.Normal, worker.Low} {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, errors.New("want high, normal or low")
}

// ParseJobID takes an ID that the enqueuer chose: 1 to 128 bytes of UTF-8 without control characters or slashes. Its error says so.
func ParseJobID(s string) (worker.JobID, error) {
	if s == "" || len(s) > maxJobID || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || strings.Contains(s, "/") {
		return "", fmt.Errorf("want 1 to %d bytes without control characters or slashes", maxJobID)
	}
	return worker.JobID(s), nil
}

// ParseQueue takes what worker.CheckQueue does. Its error says the rule in a few words.
func ParseQueue(s string) (string, error) {
	if worker.CheckQueue(s) != nil {
		return "", errors.New("want 1 to 128 bytes without control characters, braces or slashes")
	}
	return s, nil
}

// ParseUnique takes a unique key: 1 to 512 bytes of UTF-8. Its error says so.
func ParseUnique(s string) (string, error) {
	if s == "" || len(s) > maxUniqueKey || !utf8.ValidString(s) {
		return "", fmt.Errorf("want a text of 1 to %d bytes", maxUniqueKey)
	}
	return s, nil
}

// fields are the members of POST /v1/queues/{queue}/jobs.
func (j *Job) fields(maxData int) []field {
	return []field{
		data(&j.Data, maxData),
		{name: "delay_ms", set: span(&j.Delay)},
		{name: "unique", set: parsed(&j.Unique, ParseUnique)},
		{name: "unique_ms", set: span(&j.UniqueFor)},
		{name: "max_attempts", set: whole(&j.MaxAttempts, 1, MaxAttempts)},
		{name: "priority", set: parsed(&j.Priority, ParsePriority)},
		{name: "id", set: parsed(&j.ID, ParseJobID)},
		{name: "keep_ms", set: span(&j.Keep)},
		{name: "time_limit_ms", set: span(&j.TimeLimit)},
		{name: "start_within_ms", set: span(&j.StartWithin)},
	}
}

// span takes a duration in milliseconds.
func span(to *time.Duration) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		var ms int
		err := whole(&ms, 0, int(MaxDelay/time.Millisecond))(raw)
		*to = time.Duration(ms) * time.Millisecond
		return err
	}
}

// readJob reads the body of a call into the job. The caller calls done once the job was enqueued.
func (a *API) readJob(w http.ResponseWriter, r *http.Request, j *Job) (done func(), err error) {
	body, done, err := a.intake.read(w, r, int64(a.opts.MaxData+bodySlack))
	if err != nil {
		return nil, err
	}
	if err = readObject(body, j.fields(a.opts.MaxData)); err == nil {
		err = j.complete(r)
	}
	if err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// complete checks what must be there, and takes the ID from the header where it stands there.
func (j *Job) complete(r *http.Request) error {
	if j.Data.IsZero() {
		return badRequest("data: is missing; want any JSON, null included")
	}
	if j.UniqueFor > 0 && j.Unique == "" {
		return badRequest("unique_ms: stands there without unique; want both, or neither")
	}
	id, err := idempotencyID(r)
	if err != nil || id == uuid.Nil {
		return err
	}
	if j.ID != "" {
		return badRequest("id: stands there besides an Idempotency-Key header; want one of them")
	}
	j.ID = worker.JobID(id.String())
	return nil
}
