package worker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// A gate lets through, or keeps in order until it is open again. The zero value is open.
type gate struct {
	shut    int
	waiting []func()
}

func (g *gate) begin() { g.shut++ }

func (g *gate) end() {
	g.shut--
	for g.shut == 0 && len(g.waiting) > 0 {
		next := g.waiting[0]
		g.waiting = g.waiting[1:]
		next()
	}
}

func (g *gate) pass(next func()) {
	if g.shut > 0 {
		g.waiting = append(g.waiting, next)
	} else {
		next()
	}
}

// A leaseWorld is some workers at one queue, with jobs that never end, in virtual time and one goroutine. When a worker cancels its
// handlers, and whom it takes for gone, is decided by the package itself; Redis is what the scripts make of it, in short.
type leaseWorld struct {
	clock   relaytest.Clock
	rng     *rand.Rand
	redis   *leaseRedis
	workers []*leaseWorker
	wrong   string // the first that was not as it should be
}

func newLeaseWorld(seed uint64) *leaseWorld {
	w := &leaseWorld{rng: rand.New(rand.NewPCG(seed, 8))}
	w.redis = &leaseRedis{w: w, beats: make(map[*leaseWorker]int64)}
	w.redis.flush()
	return w
}

func (w *leaseWorld) failf(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf("at %v ", w.clock.Now()) + fmt.Sprintf(format, args...)
	}
}

// moment is the time as a worker's clock tells it.
func (w *leaseWorld) moment() time.Time { return time.Unix(1_000_000_000, 0).Add(w.clock.Now()) }

// hop is one way between a worker and Redis.
func (w *leaseWorld) hop(next func()) {
	const longest = 4 * time.Millisecond
	w.clock.After(time.Duration(w.rng.Int64N(int64(longest))), next)
}

// A leaseJob is a job as Redis has it.
type leaseJob struct {
	id    int
	owner *leaseWorker // nil: it waits
	token int
}

// leaseRedis holds jobs and heartbeats as the scripts would: tend, reap, and what of exchange concerns leases.
type leaseRedis struct {
	w       *leaseWorld
	set     time.Duration // by how much its clock was set
	away    int
	hold    gate // shut while it stands still
	beats   map[*leaseWorker]int64
	jobs    []*leaseJob
	made    int           // jobs so far
	trouble time.Duration // until when it had some
}

func (r *leaseRedis) now() int64 {
	return r.w.moment().Add(r.set).UnixMilli()
}

// flush empties it; there are new jobs then.
func (r *leaseRedis) flush() {
	clear(r.beats)
	r.jobs = nil
	for range leaseJobs {
		r.made++
		r.jobs = append(r.jobs, &leaseJob{id: r.made})
	}
}

func (r *leaseRedis) tend(p *leaseWorker) (known bool) {
	_, known = r.beats[p]
	r.beats[p] = r.now()
	return known
}

func (r *leaseRedis) sightings(by *leaseWorker) (seen []sighting) {
	now := r.now()
	for _, p := range r.w.workers { // in an order that is the same each time
		if beat, known := r.beats[p]; known && p != by {
			seen = append(seen, sighting{id: p.id, beat: text(beat), quiet: time.Duration(now-beat) * time.Millisecond})
		}
	}
	return seen
}

func (r *leaseRedis) present() map[uuid.UUID]bool {
	present := make(map[uuid.UUID]bool)
	for _, p := range r.w.workers {
		present[p.node] = p.counted
	}
	return present
}

func (r *leaseRedis) reap(id workerID, beat string) {
	p := r.w.workers[slices.IndexFunc(r.w.workers, func(p *leaseWorker) bool { return p.id == id })]
	if now, known := r.beats[p]; known && text(now) != beat {
		return
	}
	r.w.judgeTakeOver(p)
	delete(r.beats, p)
	for _, j := range r.jobs {
		if j.owner == p {
			j.owner = nil
			j.token++
		}
	}
}

// A delivery is a job on its way to a worker.
type leaseDelivery struct{ id, token int }

// fetch hands out what waits, and what was handed to this worker and never heard of.
func (r *leaseRedis) fetch(p *leaseWorker, n int, known map[int]bool) (out []leaseDelivery) {
	for _, j := range r.jobs {
		if len(out) < n && (j.owner == nil || j.owner == p && !known[j.id]) {
			j.owner = p
			j.token++
			out = append(out, leaseDelivery{j.id, j.token})
		}
	}
	return out
}

// mine makes those known again who have jobs and are not known.
func (r *leaseRedis) mine() {
	for _, j := range r.jobs {
		if _, known := r.beats[j.owner]; j.owner != nil && !known {
			r.beats[j.owner] = r.now()
		}
	}
}

func (r *leaseRedis) giveBack(p *leaseWorker, d leaseDelivery) {
	for _, j := range r.jobs {
		if j.id == d.id && j.owner == p && j.token == d.token {
			j.owner = nil
		}
	}
}
