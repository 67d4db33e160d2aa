package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/lazy"
)

// graceful is how long after its context has ended an attempt may take to return.
const graceful = 5 * time.Second

// maxErrorText is how many bytes of an error the history keeps.
const maxErrorText = 1024

// An attempt is one start of a job at this pool.
type attempt struct {
	in      *intake
	job     *Job
	entry   entry
	spec    spec
	bad     error // the spec can't be read
	askers  string
	expired bool
	marked  bool // fetched ahead: Redis does not count it yet
	ctx     *handling
	began   time.Time

	// Guarded by intake.mu:
	begun bool
	over  bool // settled, or given up: what its handler says now counts for nothing
}

func newAttempt(in *intake, e entry, text string, token uint64, n int, now int64) *attempt {
	a := &attempt{in: in, entry: e}
	a.spec, a.bad = decodeSpec(text)
	stamp, _, _ := strings.Cut(e.id, "-")
	since, _ := strconv.ParseInt(stamp, 10, 64) // of an entry that Redis numbered: the time
	a.job = &Job{ID: e.job, Queue: in.queue.name, Body: a.spec.body, Priority: a.spec.priority, Attempt: n,
		MaxAttempts: int(a.spec.attempts), Token: token, Enqueued: time.UnixMilli(int64(a.spec.enqueued)),
		Waited: time.Duration(max(now-since, 0)) * time.Millisecond}
	a.ctx = &handling{attempt: a, Context: lazy.Context{Parent: in.pool.life.Context(), Late: ErrTimeLimit}}
	return a
}

// hopeless says why the job is dead without being run.
func (a *attempt) hopeless() (code string) {
	switch {
	case a.bad != nil:
		return codeMalformed
	case a.expired:
		return codeExpired
	case a.job.Attempt > a.job.MaxAttempts:
		return codeDead
	default:
		return ""
	}
}

// start runs an attempt that has begun.
func (in *intake) start(a *attempt) {
	a.began = time.Now()
	switch a.hopeless() {
	case codeMalformed:
		in.conclude(a, bus.Body{}, Reject(a.bad))
	case codeExpired:
		in.conclude(a, bus.Body{}, Reject(ErrExpired))
	case codeDead:
		in.conclude(a, bus.Body{}, Reject(errors.New("its attempts are used up")))
	default:
		in.waited.Observe(a.job.Waited.Seconds())
		in.pool.crew.Go(func() { in.run(a) })
	}
}

// run calls the handler, and watches its time limit.
func (in *intake) run(a *attempt) {
	if limit := time.Duration(a.spec.limit) * time.Millisecond; limit > 0 {
		a.ctx.Limit(a.began.Add(limit))
		late := time.AfterFunc(limit+in.pool.grace, func() { in.giveUp(a) })
		defer late.Stop()
	}
	var body bus.Body
	err := errors.New("the handler ended its goroutine")
	returned := false
	defer func() {
		if !returned { // by runtime.Goexit
			in.conclude(a, body, err)
		}
	}()
	body, err = in.call(a)
	returned = true
	if err != nil && steeringOf(err) == nil && a.ctx.Err() != nil {
		if cause := context.Cause(a.ctx); !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}
	in.conclude(a, body, err)
}

// call calls the handler; a panic is a failure.
func (in *intake) call(a *attempt) (body bus.Body, err error) {
	defer func() {
		if p := recover(); p != nil {
			in.log.Error("a handler panicked", slog.String("job", string(a.job.ID)), slog.Any("panic", p),
				slog.String("stack", string(debug.Stack())))
			body, err = bus.Body{}, fmt.Errorf("panic: %v", p)
		}
	}()
	job := *a.job
	return in.handler(a.ctx, &job)
}

// giveUp settles an attempt whose handler ignores that its time is over. Its place is given to another, see placesLocked.
func (in *intake) giveUp(a *attempt) {
	in.mu.Lock()
	over := a.over
	if !over {
		in.abandoned++
	}
	in.mu.Unlock()
	if over {
		return
	}
	in.log.Error("a handler did not end with its time limit", slog.String("job", string(a.job.ID)))
	in.conclude(a, bus.Body{}, ErrTimeLimit)
}

// conclude settles an attempt, the first time, and begins the next that waits.
func (in *intake) conclude(a *attempt, body bus.Body, err error) {
	s := in.outcome(a, body, err)
	in.mu.Lock()
	if a.over { // given up before
		in.abandoned--
		in.work.Signal()
		in.mu.Unlock()
		return
	}
	in.overLocked(a)
	in.runs--
	in.finished = append(in.finished, s)
	var next *attempt
	if len(in.ahead) > 0 && in.runningLocked() < in.opts.concurrency {
		next = in.ahead[0]
		in.ahead = in.ahead[1:]
		in.beginLocked(next)
	}
	if !in.gathersLocked() {
		in.work.Signal()
	}
	if !in.hungry {
		in.listen.Signal()
	}
	in.mu.Unlock()
	a.ctx.end(context.Canceled)
	if next != nil {
		in.start(next)
	}
}

// line is how an attempt that did not succeed stands in the history, after its times.
func line(worker string, err error) string {
	message := err.Error()
	if len(message) > maxErrorText {
		message = strings.ToValidUTF8(message[:maxErrorText], "") + fmt.Sprintf("… (%d bytes more)", len(message)-maxErrorText)
	}
	text, err := json.Marshal([2]string{worker, message})
	if err != nil {
		return `["",""]` + "\n" // strings can be encoded
	}
	return string(text) + "\n"
}
