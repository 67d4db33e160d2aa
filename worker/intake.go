package worker

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// An entry is one place in a waiting line, delivered to this pool.
type entry struct {
	line int64
	id   string
	job  JobID
}

// A place names an entry: lines number theirs by themselves.
type place struct {
	line int64
	id   string
}

func (e entry) place() place { return place{e.line, e.id} }

// A settling is what a worker has to say about an entry, and with it about a job.
type settling struct {
	kind   byte // d: done, r: again, x: dead, g: given back, b: begun
	entry  entry
	token  uint64
	parts  [3]string // what the kind needs besides
	n      notice    // what those who await the job are told, if it is over
	tried  bool      // sent before, and perhaps carried out
	ran    time.Duration
	logged string // why a failed attempt failed
}

// exchanges is how many round trips of one intake may be under way: while Redis works at one, the next collects.
const exchanges = 2

// An intake is a pool's work at one queue: what it has taken, what of that runs, and what it has to say about it.
type intake struct {
	pool    *Pool
	jobs    *Jobs
	queue   *Queue
	handler handler
	opts    handleOptions
	log     *slog.Logger
	ran     prometheus.Observer // what every job counts in is looked up once
	waited  prometheus.Observer
	turn    shares
	poked   chan struct{} // one slot: a delayed job may be due earlier
	beaten  atomic.Int64  // when the last heartbeat that Redis took had left, since the pool was made
	// registered is closed with the first heartbeat: nothing is taken before, so that others know of whoever has jobs.
	registered chan struct{}

	mu           sync.Mutex
	work         *sync.Cond // there may be something to exchange
	listen       *sync.Cond // there may be reason to listen for new jobs
	finished     []settling
	held         []entry            // delivered, not started
	known        map[place]bool     // entries delivered and not settled
	active       map[JobID]*attempt // taken, and not over
	taken        int                // how many: of a job that came twice, active has the later attempt
	ahead        []*attempt         // of these, fetched ahead and not begun
	runs         int                // of these, running
	abandoned    int                // attempts that did not end when they should have, and still run
	reserved     int                // places for jobs that exchanges under way may bring
	under        int                // exchanges under way
	hungry       bool               // the queue may have more than was taken
	notBefore    time.Time          // when jobs may be asked for again, after pause or limit
	quietTill    time.Time          // when Redis may be asked again, after a failure
	pause        time.Duration      // that this failure cost
	listening    bool               // a blocking read is under way
	fenced       error              // no job may run: why; set by guard alone
	draining     bool               // nothing is taken any more
	wakeListener func()             // ends a blocking read
	suspects     map[place]bool     // entries that Redis says are ours, and that we don't know
}

func newIntake(p *Pool, queue string, fn handler, o handleOptions) *intake {
	in := &intake{pool: p, jobs: p.jobs, queue: p.jobs.Queue(queue), handler: fn, opts: o,
		log: p.jobs.log.With(slog.String("queue", queue)),
		ran: p.jobs.metrics.duration.WithLabelValues(queue, outcomeDone), waited: p.jobs.metrics.waited.WithLabelValues(queue),
		turn: newShares(o.weights), known: make(map[place]bool), active: make(map[JobID]*attempt), hungry: true,
		poked: make(chan struct{}, 1), registered: make(chan struct{})}
	in.work, in.listen = sync.NewCond(&in.mu), sync.NewCond(&in.mu)
	return in
}

// whenRegistered does something once Redis knows of this worker.
func (in *intake) whenRegistered(ctx context.Context, do func(context.Context)) {
	select {
	case <-in.registered:
		do(ctx)
	case <-ctx.Done():
	}
}

// burdenLocked is how many places are lost to attempts that were given up and still run: none, up to as many as may run properly.
func (in *intake) burdenLocked() int { return max(in.abandoned-in.opts.concurrency, 0) }

// runningLocked is how many places are taken by what runs.
func (in *intake) runningLocked() int { return in.runs + in.burdenLocked() }

// placesLocked is how many more jobs may be taken.
func (in *intake) placesLocked() int {
	return in.opts.concurrency + in.opts.prefetch - in.taken - in.burdenLocked() - in.reserved
}

// mayTakeLocked reports whether jobs may be asked for now.
func (in *intake) mayTakeLocked(now time.Time) bool {
	return !in.draining && in.fenced == nil && !now.Before(in.notBefore)
}

// wakeAll has everybody look again.
func (in *intake) wakeAll() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.work.Broadcast()
	in.listen.Broadcast()
}

// feed says that the queue may have jobs.
func (in *intake) feed() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.hungry = true
	in.work.Signal()
}

// drain has nothing be taken any more, and gives back what was not begun.
func (in *intake) drain() (wakeListener func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.draining = true
	in.returnAheadLocked()
	in.work.Broadcast()
	in.listen.Broadcast()
	return in.wakeListener
}

// returnAheadLocked gives back what was fetched ahead and has not begun.
func (in *intake) returnAheadLocked() {
	for _, a := range in.ahead {
		in.returnLocked(a)
	}
	in.ahead = nil
}

// returnLocked gives back a job that has not begun.
func (in *intake) returnLocked(a *attempt) {
	a.ctx.end(context.Canceled)
	in.overLocked(a)
	in.finished = append(in.finished, settling{kind: 'r', entry: a.entry, token: a.job.Token, parts: [3]string{"0", "0", ""}})
}

// overLocked notes that an attempt no longer counts.
func (in *intake) overLocked(a *attempt) {
	a.over = true
	in.taken--
	if in.active[a.job.ID] == a {
		delete(in.active, a.job.ID)
	}
}

// drained reports whether everything that was taken is settled.
func (in *intake) drained() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.taken == 0 && len(in.finished) == 0 && len(in.held) == 0 && in.under == 0
}

// cancel ends the contexts of all attempts.
func (in *intake) cancel(why error) {
	in.mu.Lock()
	var running []*attempt
	for _, a := range in.active {
		running = append(running, a)
	}
	in.mu.Unlock()
	for _, a := range running {
		a.ctx.end(why)
	}
}

// lose ends the contexts of all attempts: others have their jobs, or may have. What was fetched ahead must not begin any more.
func (in *intake) lose() {
	in.mu.Lock()
	in.returnAheadLocked()
	in.work.Signal()
	in.mu.Unlock()
	in.cancel(ErrLeaseLost)
}

// fence ends the contexts of all attempts, and lets none begin until it is lifted (nil).
func (in *intake) fence(why error) {
	in.mu.Lock()
	in.fenced = why
	if why != nil {
		in.returnAheadLocked()
	}
	in.work.Broadcast()
	in.listen.Broadcast()
	in.mu.Unlock()
	if why != nil {
		in.cancel(why)
	}
}
