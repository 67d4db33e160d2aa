package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/adhocore/gronx"

	"github.com/ackbus/ackbus/bus"
)

// A CatchUp says what becomes of ticks that passed while no node of the schedule ran.
type CatchUp uint8

// The rules. The zero value is CatchUpOnce.
const (
	CatchUpOnce CatchUp = iota // one job for the latest of them
	CatchUpNone                // none: the schedule goes on with the next tick
	CatchUpAll                 // a job for each, the 100 latest at most; that some were left out is logged
)

const (
	maxCatchUp = 100
	tardy      = 2 * time.Second // a tick is missed when it is later than this
)

// A Schedule enqueues a job again and again. Every node that runs it fires the same ticks, by Redis's clock, and each tick becomes
// one job over the whole cluster, with the ID "<name>@<time in RFC 3339>".
type Schedule struct {
	// Name names the schedule within its queue: 1 to 64 bytes. Nodes with the same name share the ticks.
	Name string
	// Queue takes the jobs.
	Queue string
	// Cron is when: minute, hour, day of the month, month and weekday; six fields begin with the second; or @hourly and the like. Or
	// Every is set.
	Cron string
	// Every fires at the multiples of a duration since 1970-01-01 UTC, 1 s at least.
	Every time.Duration
	// Zone is where Cron's times are read. Default: UTC. An hour that daylight saving skips or repeats is skipped or repeated.
	Zone *time.Location
	// CatchUp is what becomes of ticks that passed while no node ran. Default: CatchUpOnce.
	CatchUp CatchUp
	// Job is the job, encoded as JSON, or a bus.Body.
	Job any
	// Options are those of each job; WithID, Unique, Delay and At are not for schedules.
	Options []EnqueueOption
}

// schedule is a Schedule of a pool.
type schedule struct {
	Schedule

	pool  *Pool
	queue *Queue
	opts  enqueueOptions
	job   bus.Body
}

// Schedule adds a schedule, which runs with the pool. What is wrong with it surfaces from Run.
func (p *Pool) Schedule(s Schedule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	made, err := p.schedule(s)
	if err == nil && p.running {
		err = fmt.Errorf("%w: Schedule %s after Run", ErrOption, s.Name)
	}
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("schedule %q: %w", clip(s.Name), err))
		return
	}
	p.schedules = append(p.schedules, made)
}

func (p *Pool) schedule(s Schedule) (*schedule, error) {
	const maxName = 64
	if err := checkName("schedule", s.Name, maxName, "/"); err != nil {
		return nil, err
	}
	if err := CheckQueue(s.Queue); err != nil {
		return nil, err
	}
	switch {
	case (s.Cron == "") == (s.Every == 0):
		return nil, fmt.Errorf("%w: want either Cron or Every", ErrOption)
	case s.Cron != "" && !gronx.IsValid(s.Cron):
		return nil, fmt.Errorf("%w: cron expression %q", ErrOption, clip(s.Cron))
	case s.Every != 0 && s.Every < time.Second:
		return nil, fmt.Errorf("%w: Every is %v: want 1 s at least", ErrOption, s.Every)
	case s.CatchUp > CatchUpAll:
		return nil, fmt.Errorf("%w: unknown CatchUp %d", ErrOption, s.CatchUp)
	}
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	o, err := collect(s.Options)
	if err != nil {
		return nil, err
	}
	if o.id != "" || o.unique != "" || o.delay != 0 || !o.at.IsZero() || o.replicas != 0 || o.startWithin != 0 {
		return nil, fmt.Errorf("%w: schedules take no WithID, Unique, Delay, At, StartWithin and Durable", ErrOption)
	}
	job, ok := s.Job.(bus.Body)
	if !ok {
		job = bus.JSON(s.Job)
	}
	if err := job.Err(); err != nil {
		return nil, err
	}
	return &schedule{Schedule: s, pool: p, queue: p.jobs.Queue(s.Queue), opts: o, job: job}, nil
}

// next is the first tick after t.
func (s *schedule) next(t time.Time) (time.Time, error) {
	if s.Every != 0 {
		every := s.Every.Milliseconds()
		return time.UnixMilli((t.UnixMilli()/every + 1) * every), nil
	}
	return gronx.NextTickAfter(s.Cron, t.In(s.Zone), false)
}

// run fires the ticks until the pool ends.
func (s *schedule) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	log := s.pool.jobs.log.With(slog.String("schedule", s.Name), slog.String("queue", s.Queue))
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		pause, err := s.fireDue(ctx, log)
		if err != nil && ctx.Err() == nil {
			log.Warn("no firing", slog.Any("error", err))
		}
		timer.Reset(pause)
	}
}

// fireDue fires what is due by Redis's clock, and returns how long it is until the next tick, at most a second: so that it soon
// learns of a clock that was set.
func (s *schedule) fireDue(ctx context.Context, log *slog.Logger) (time.Duration, error) {
	reply, err := s.queue.list(ctx, 3, scriptFire, s.Name, "")
	if err != nil {
		return tendAfter, err
	}
	asked := time.Now()
	now, last := time.UnixMilli(asNumber(reply[0])), time.UnixMilli(asNumber(reply[1]))
	due, next, missed, err := s.due(last, now)
	if err != nil {
		return longestPause, err
	}
	if missed {
		log.Warn("ticks were missed, and not all are made up for", slog.Time("last", last))
	}
	for _, tick := range due {
		if err := s.fire(ctx, tick); err != nil {
			return tendAfter, err
		}
	}
	return min(max(next.Sub(now)-time.Since(asked), time.Millisecond), longestPause), nil
}

// due lists the ticks after last that are due now and to be fired, the oldest first, and the next one. missed: some are left out.
func (s *schedule) due(last, now time.Time) (due []time.Time, next time.Time, missed bool, err error) {
	if next, err = s.next(now); err != nil {
		return nil, now, false, err
	}
	for at := now; ; {
		tick := s.latest(at)
		if !tick.After(last) {
			break
		}
		late := now.Sub(tick) > tardy
		if late && (s.CatchUp == CatchUpNone || s.CatchUp == CatchUpOnce && len(due) > 0) || len(due) == maxCatchUp {
			missed = true
			break
		}
		due = append(due, tick)
		at = tick.Add(-time.Millisecond)
	}
	slices.Reverse(due)
	return due, next, missed, nil
}

// latest is the last tick that is not after t; the zero time where an expression has none so far back.
func (s *schedule) latest(t time.Time) time.Time {
	if s.Every != 0 {
		every := s.Every.Milliseconds()
		return time.UnixMilli(t.UnixMilli() / every * every)
	}
	tick, err := gronx.PrevTickBefore(s.Cron, t.In(s.Zone), true)
	if err != nil {
		return time.Time{}
	}
	return tick
}

// fire enqueues the job of a tick, unless another node has.
func (s *schedule) fire(ctx context.Context, tick time.Time) error {
	id := JobID(s.Name + "@" + tick.UTC().Format(time.RFC3339))
	sp := spec{body: s.job, priority: s.opts.priority, attempts: uint64(s.opts.attempts), limit: uint64(milliseconds(s.opts.limit)),
		keep: uint64(milliseconds(s.opts.keep)), enqueued: uint64(tick.UnixMilli())}
	_, err := s.queue.list(ctx, 3, scriptFire, s.Name, text(tick.UnixMilli()), string(id), sp.encode(), s.opts.priority.line())
	return err
}
