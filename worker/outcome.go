package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// outcome says what is to become of a job after an attempt.
func (in *intake) outcome(a *attempt, body bus.Body, err error) settling {
	if err == nil {
		if err = body.Err(); err == nil && len(body.Raw()) > in.jobs.maxBody {
			err = fmt.Errorf("%w: a result of %d bytes, and Options.MaxBody is %d", ErrTooLarge, len(body.Raw()), in.jobs.maxBody)
		}
	}
	s := settling{entry: a.entry, token: a.job.Token, ran: time.Since(a.began)}
	s.n = notice{id: a.job.ID, worker: in.jobs.self.Name, attempt: uint64(a.job.Attempt), ran: uint64(s.ran.Microseconds()),
		waited: uint64(a.job.Waited.Microseconds())}
	if err == nil {
		in.done(&s, a, body)
		return s
	}
	s.logged = err.Error()
	steer := steeringOf(err)
	switch {
	case steer != nil && steer.to == snooze:
		s.kind, s.parts = 'r', [3]string{text(milliseconds(steer.after)), "0", ""}
	case errors.Is(err, ErrDraining): // not the job's fault
		s.kind, s.parts = 'r', [3]string{"0", "0", line(s.n.worker, err)}
	case errors.Is(err, ErrLeaseLost): // nor this, unless it happens again and again
		s.kind, s.parts = 'r', [3]string{"0", "lost", line(s.n.worker, err)}
	case steer != nil && steer.to == reject || a.job.Attempt >= a.job.MaxAttempts:
		in.dead(&s, a, err)
	default:
		var wait time.Duration
		if steer != nil {
			wait = steer.after
		} else {
			wait = in.backoff(a.job.Attempt, err)
		}
		s.kind, s.parts = 'r', [3]string{text(milliseconds(wait)), "1", line(s.n.worker, err)}
	}
	if s.kind == 'r' {
		s.n.id = "" // nobody is told: it is not over
	}
	return s
}

// backoff asks the pool's function, whose panic must not end the process.
func (in *intake) backoff(attempt int, err error) (wait time.Duration) {
	defer func() {
		if p := recover(); p != nil {
			in.log.Error("the function of RetryWith panicked", slog.Any("panic", p))
			wait = Backoff(attempt, err)
		}
	}()
	return in.opts.backoff(attempt, err)
}

// done has the result be kept, and told.
func (in *intake) done(s *settling, a *attempt, body bus.Body) {
	s.kind, s.n.body = 'd', body
	result := ""
	if a.askers != "" || a.spec.keep > 0 {
		result = string(s.n.encode())
	}
	s.parts = [3]string{text(int64(a.spec.keep)), result}
}

// dead has the job go to the dead letters.
func (in *intake) dead(s *settling, a *attempt, err error) {
	s.n.code, s.n.message = codeOf(err), clipTo(s.logged, maxErrorText)
	note := line(s.n.worker, err)
	if why := a.hopeless(); why == codeDead || why == codeExpired { // it was no attempt
		note, s.n.worker = "", ""
		s.n.attempt--
	}
	s.kind, s.parts = 'x', [3]string{s.n.code, string(s.n.encode()), note}
}

// codeOf is the code that those who await the job read.
func codeOf(err error) string {
	switch refused, ok := errors.AsType[*bus.Rejection](err); {
	case errors.Is(err, ErrExpired):
		return codeExpired
	case errors.Is(err, errMalformed):
		return codeMalformed
	case ok && refused != nil && refused.Code != "":
		return clipTo(refused.Code, bus.MaxName)
	default:
		return codeDead
	}
}
