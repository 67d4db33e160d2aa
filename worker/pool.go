package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// PoolOptions change a Pool. The zero value of a field means its default; a nil *PoolOptions means all defaults.
type PoolOptions struct {
	// Drain is how long Run waits for handlers once its context has ended; then their contexts end, and their jobs go to other workers.
	// Default: 30 s; negative: not at all.
	Drain time.Duration
	// Lease is after how long without a sign of life a worker's jobs are taken over at the latest, where nothing else told of its
	// death. Default: 30 s; at least 5 s.
	Lease time.Duration
}

const (
	defaultDrain = 30 * time.Second
	defaultLease = 30 * time.Second
	leastLease   = 5 * time.Second
	idleHandlers = 64          // goroutines that wait for the next job
	lastGrace    = time.Second // for handlers to return after their contexts have ended, and for what else ends with them
)

// ErrAbandoned says that handlers did not return when a pool ended. Their jobs went to other workers.
var ErrAbandoned = errors.New("worker: handlers still run")

// A Pool runs the handlers of jobs. Handlers are added before Run.
type Pool struct {
	jobs *Jobs
	opts PoolOptions
	// grace is how long after its time limit an attempt may take to return; tests shorten it.
	grace time.Duration
	id    workerID

	mu        sync.Mutex
	running   bool
	errs      []error
	intakes   map[string]*intake
	schedules []*schedule

	life     *run.Group // of everything but handlers
	handlers *run.Group
	crew     *run.Crew // of handlers
	started  time.Time
}

// Pool makes a pool. What is wrong with its options surfaces from Run.
func (j *Jobs) Pool(opts *PoolOptions) *Pool {
	var o PoolOptions
	if opts != nil {
		o = *opts
	}
	p := &Pool{jobs: j, opts: o, grace: graceful, intakes: make(map[string]*intake), started: time.Now()}
	if p.opts.Drain == 0 {
		p.opts.Drain = defaultDrain
	}
	if p.opts.Lease == 0 {
		p.opts.Lease = defaultLease
	}
	if p.opts.Lease < leastLease {
		p.errs = append(p.errs, fmt.Errorf("%w: PoolOptions.Lease is %v: want %v at least", ErrOption, p.opts.Lease, leastLease))
	}
	p.id = newWorkerID(j.self.ID, j.self.Name)
	p.life, p.handlers = run.New(context.Background()), run.New(context.Background())
	p.crew = run.NewCrew(p.handlers, idleHandlers)
	return p
}

// Run works until ctx ends, and then drains: nothing is taken any more, what runs is waited for (PoolOptions.Drain), what did not
// begin goes to other workers. It returns nil, ErrAbandoned where handlers did not return, or what was wrong with the pool. A pool
// runs once.
func (p *Pool) Run(ctx context.Context) error {
	if err := p.begin(); err != nil {
		return fmt.Errorf("worker: run: %w", err)
	}
	for _, in := range p.intakes {
		p.life.Go(func() { in.tend(p.life.Context()) })
		for range exchanges {
			p.life.Go(func() { in.whenRegistered(p.life.Context(), in.exchangeAll) })
		}
		p.life.Go(func() { in.whenRegistered(p.life.Context(), in.listenAll) })
	}
	p.life.Go(func() { p.guard(p.life.Context()) })
	p.life.Go(func() { p.watchOthers(p.life.Context()) })
	for _, s := range p.schedules {
		p.life.Go(func() { s.run(p.life.Context()) })
	}
	patience := max(p.opts.Drain, 0)
	select {
	case <-ctx.Done():
	case <-p.jobs.group.Context().Done():
		patience = 0
	}
	return p.end(patience)
}

// begin checks the pool and makes it known to its Jobs.
func (p *Pool) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.running:
		return errors.New("a pool runs once")
	case len(p.errs) > 0:
		return errors.Join(p.errs...)
	case len(p.intakes) == 0 && len(p.schedules) == 0:
		return fmt.Errorf("%w: a pool without a handler", ErrOption)
	}
	p.running = true
	for _, in := range p.intakes {
		in.beat(time.Now())
	}
	return p.jobs.enlist(p.intakes)
}

// end drains and stops.
func (p *Pool) end(patience time.Duration) error {
	for _, in := range p.intakes {
		if wake := in.drain(); wake != nil {
			wake()
		}
	}
	if !p.awaitDrained(patience) {
		for _, in := range p.intakes {
			in.cancel(ErrDraining)
		}
		p.awaitDrained(lastGrace)
	}
	p.life.Stop()
	for _, in := range p.intakes {
		in.wakeAll()
	}
	p.life.Wait()
	err := p.leave()
	p.jobs.dismiss(p.intakes)
	p.jobs.awaitTold(lastGrace) // the process may end next
	p.handlers.Stop()
	select {
	case <-p.handlers.Stopped():
	case <-time.After(lastGrace): // goroutines that have nothing left to do end at once
		err = errors.Join(err, ErrAbandoned)
	}
	return err
}

// awaitDrained waits until everything is settled, at most for d.
func (p *Pool) awaitDrained(d time.Duration) bool {
	const look = 2 * time.Millisecond
	deadline := time.Now().Add(d)
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		all := true
		for _, in := range p.intakes {
			all = all && in.drained()
		}
		if all || !time.Now().Before(deadline) {
			return all
		}
		<-ticker.C
	}
}

// leave gives what is left to other workers, at once where Redis answers; else they find that this one is gone.
func (p *Pool) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	for _, in := range p.intakes {
		if _, err := in.reap(ctx, p.id, "", ErrDraining, false); err != nil {
			in.log.Warn("others have to notice that this worker left", slog.Any("error", err))
		}
	}
	return nil
}

// poke has an intake look for delayed jobs, which may be due earlier than it thinks.
func (p *Pool) poke(in *intake) {
	select {
	case in.poked <- struct{}{}:
	default:
	}
}

// enlist makes the intakes of a pool known, so that they can be told to stop a job.
func (j *Jobs) enlist(intakes map[string]*intake) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	for _, in := range intakes {
		j.intakes[in] = true
	}
	j.pools.Add(1)
	return nil
}

func (j *Jobs) dismiss(intakes map[string]*intake) {
	defer j.pools.Done()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, in := range intakes {
		delete(j.intakes, in)
	}
}

// stop ends the attempts at a job that was deleted.
func (j *Jobs) stop(queue string, id JobID) {
	j.mu.Lock()
	var running []*attempt
	for in := range j.intakes {
		if in.queue.name == queue {
			running = append(running, in.attemptAt(id))
		}
	}
	j.mu.Unlock()
	for _, a := range running {
		if a != nil {
			a.ctx.end(ErrDeleted)
		}
	}
}

func (in *intake) attemptAt(id JobID) *attempt {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.active[id]
}
