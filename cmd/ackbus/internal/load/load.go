package load

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
)

// slack is by how much a timer may be late without the request counting as late: that is this machine's, not the system's.
const slack = time.Millisecond

// Options say how much load there is.
type Options struct {
	// Requests is how many are sent in all. 0: as many as the duration allows.
	Requests int
	// Duration is for how long requests are sent. 0: until all were.
	Duration time.Duration
	// InFlight is how many are under way at most; at least 1.
	InFlight int
	// Rate is how many are due a second. 0: as fast as answers come.
	Rate float64
	// Send sends the request with the number, which counts from 0, and returns what became of it. It is called from many goroutines, and
	// ends with its context.
	Send func(ctx context.Context, number int) Answer
}

// A Load is one measurement.
type Load struct {
	opts  Options
	tally *tally
	next  atomic.Int64 // number of the next request
	begun time.Time
	until time.Time // nothing is sent later; zero: no such time
}

// New prepares a load. Either the requests or the duration must bound it.
func New(o Options) (*Load, error) {
	switch {
	case o.Send == nil:
		return nil, errors.New("load: nothing to send with")
	case o.InFlight < 1:
		return nil, errors.New("load: want at least 1 in flight")
	case o.Requests < 0 || o.Duration < 0 || o.Rate < 0 || math.IsNaN(o.Rate):
		return nil, errors.New("load: neither requests, duration nor rate can be negative")
	case o.Requests == 0 && o.Duration == 0:
		return nil, errors.New("load: want a number of requests or a duration")
	}
	return &Load{opts: o, tally: newTally()}, nil
}

// Run puts the load on and returns once the last answer is there. The end of ctx ends it at once. It is called once; watch, if it is not
// nil, is called every interval meanwhile, from another goroutine.
func (l *Load) Run(ctx context.Context, interval time.Duration, watch func(Progress)) Result {
	l.begun = time.Now()
	if l.opts.Duration > 0 {
		l.until = l.begun.Add(l.opts.Duration)
	}
	senders, watching := run.New(ctx), run.New(ctx)
	if watch != nil {
		watching.Go(func() {
			for pause.For(watching.Context(), interval) {
				watch(l.progress())
			}
		})
	}
	ended := make(chan struct{}, l.opts.InFlight)
	for range l.opts.InFlight {
		if !senders.Go(func() {
			l.send(senders.Context())
			ended <- struct{}{}
		}) {
			break
		}
	}
	for range l.opts.InFlight {
		<-ended
	}
	took := time.Since(l.begun)
	senders.Stop()
	watching.Stop()
	senders.Wait()
	watching.Wait()
	return l.result(took)
}

// send sends one request after another.
func (l *Load) send(ctx context.Context) {
	for ctx.Err() == nil {
		number := int(l.next.Add(1) - 1)
		if l.opts.Requests > 0 && number >= l.opts.Requests {
			return
		}
		from, due := l.await(ctx, number)
		if !due {
			return
		}
		answer := l.opts.Send(ctx, number)
		took := time.Since(from)
		if ctx.Err() != nil {
			l.tally.abandon() // its answer is that it was given up
			return
		}
		l.tally.add(&answer, took)
	}
}

// await waits until the request is due, and returns the time that it is measured from. It is false when it is not to be sent any more.
func (l *Load) await(ctx context.Context, number int) (from time.Time, ok bool) {
	now := time.Now()
	if l.opts.Rate == 0 {
		return now, l.inTime(now)
	}
	due := l.begun.Add(l.dueAfter(number))
	if !l.inTime(due) {
		return due, false
	}
	ahead := due.Sub(now)
	if ahead <= 0 {
		return due, l.inTime(now)
	}
	if !pause.For(ctx, ahead) {
		return due, false
	}
	if now = time.Now(); now.Sub(due) <= slack {
		return now, true
	}
	return due, true
}

func (l *Load) inTime(at time.Time) bool { return l.until.IsZero() || at.Before(l.until) }

func (l *Load) dueAfter(number int) time.Duration {
	return time.Duration(float64(number) / l.opts.Rate * float64(time.Second))
}

// due is how many requests were due within the time that the load took.
func (l *Load) due(took time.Duration) int {
	if l.opts.Rate == 0 {
		return 0
	}
	if l.opts.Duration > 0 {
		took = min(took, l.opts.Duration)
	}
	n := int(math.Ceil(took.Seconds() * l.opts.Rate))
	for n > 0 && l.dueAfter(n-1) >= took { // what floating point has made of a whole number
		n--
	}
	if l.opts.Requests > 0 {
		n = min(n, l.opts.Requests)
	}
	return n
}
