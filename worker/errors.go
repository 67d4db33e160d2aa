package worker

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Errors of calls, before anything is known of the job.
var (
	ErrName        = errors.New("worker: bad name")
	ErrOption      = errors.New("worker: bad option")
	ErrTooLarge    = errors.New("worker: job too large")
	ErrUnavailable = errors.New("worker: Redis can't be reached") // or refuses all work; nothing was done
	ErrUnknown     = errors.New("worker: no answer from Redis")   // it may have been done
	ErrMemory      = errors.New("worker: Redis is out of memory") // it refuses to store more (maxmemory); nothing was done
	ErrClosed      = errors.New("worker: closed")
	ErrQueueFull   = errors.New("worker: the queue is full")
	ErrNoJob       = errors.New("worker: no such job")
	ErrNotFinished = errors.New("worker: the job has not finished")
)

// Errors that say why an awaited job has no result. They come wrapped in a *JobError.
var (
	ErrDead    = errors.New("the job is dead: its attempts are used up, or it was rejected")
	ErrExpired = errors.New("the job was not started in time")
	ErrDeleted = errors.New("the job was deleted")
	ErrDropped = errors.New("the job was dropped from a full queue")
	ErrGone    = errors.New("the job is gone: Redis no longer knows it")
)

// Causes with which a handler's context ends, besides time limits.
var (
	ErrLeaseLost = errors.New("worker: the lease on the job was lost")
	ErrDraining  = errors.New("worker: the pool ends")
	ErrTimeLimit = errors.New("worker: the attempt took longer than its time limit")
)

// The codes of a JobError.
const (
	codeDead      = "dead"
	codeExpired   = "expired"
	codeDeleted   = "deleted"
	codeDropped   = "dropped"
	codeGone      = "gone"
	codeMalformed = "malformed"
	codeFetch     = "fetch" // never seen outside: the result is too large to be told, and lies in Redis
)

// A JobError says why an awaited job has no result. It matches ErrDead, ErrExpired, ErrDeleted, ErrDropped or ErrGone.
type JobError struct {
	ID       JobID
	Code     string // dead, expired, deleted, dropped, gone, or the code with which its handler refused it (see bus.Reject)
	Message  string // of the last attempt
	Worker   string // the readable name of the node that made it, if any
	Attempts int
}

// Error names the job, what became of it, and the last attempt's error.
func (e *JobError) Error() string {
	text := fmt.Sprintf("worker: job %s: %s", e.ID, e.Code)
	if e.Attempts > 0 {
		text += fmt.Sprintf(" after attempt %d", e.Attempts)
	}
	if e.Worker != "" {
		text += " at " + e.Worker
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Unwrap gives the sentinel of the code; a code that a handler chose is ErrDead.
func (e *JobError) Unwrap() error {
	switch e.Code {
	case codeExpired:
		return ErrExpired
	case codeDeleted:
		return ErrDeleted
	case codeDropped:
		return ErrDropped
	case codeGone:
		return ErrGone
	default:
		return ErrDead
	}
}

// A DuplicateError says that another job holds the unique key.
type DuplicateError struct {
	Key string
	ID  JobID // of the job that holds it
}

// Error names the key and its job.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("worker: unique key %q is held by job %s", e.Key, e.ID)
}

// A NotDurableError says that a job was taken in, but that fewer replicas than asked confirmed it in time.
type NotDurableError struct {
	ID              JobID
	Wanted, Reached int
}

// Error says how many replicas have the job.
func (e *NotDurableError) Error() string {
	return fmt.Sprintf("worker: job %s is on %d replicas, not on %d", e.ID, e.Reached, e.Wanted)
}

// A WaitError says that the waiting for a job ended, not the job.
type WaitError struct {
	ID    JobID
	Cause error // of the context
}

// Error names the job.
func (e *WaitError) Error() string {
	return fmt.Sprintf("worker: waiting for job %s: %v", e.ID, e.Cause)
}

// Unwrap gives the context's cause.
func (e *WaitError) Unwrap() error { return e.Cause }

// refusals are the codes with which a server that is not fit for work refuses, before it has done anything.
var refusals = []string{"LOADING", "READONLY", "MASTERDOWN", "BUSY", "MISCONF", "NOREPLICAS"}

// redisError sorts an error of go-redis: refused, not sent, or doubtful.
func redisError(err error) error {
	if err == nil {
		return nil
	}
	if replied, ok := errors.AsType[redis.Error](err); ok {
		switch text := replied.Error(); {
		case strings.HasPrefix(text, "OOM"):
			return fmt.Errorf("%w: %w", ErrMemory, err)
		case slices.ContainsFunc(refusals, func(code string) bool { return strings.HasPrefix(text, code+" ") }):
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	if isUnsent(err) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}
