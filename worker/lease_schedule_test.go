package worker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// A leaseFault is something that happens to a worker, to Redis, or between them.
type leaseFault string

const (
	leaseStopped leaseFault = "the process stands still"
	leaseKilled  leaseFault = "killed"
	leaseCut     leaseFault = "cut off"
	leaseHeld    leaseFault = "its commands don't get to Redis"
	leaseDeaf    leaseFault = "answers don't get to it"
	leaseFell    leaseFault = "its lanes fell"
	leaseCame    leaseFault = "another one came"
	leasePaused  leaseFault = "Redis stands still"
	leaseAway    leaseFault = "Redis is away"
	leaseFlushed leaseFault = "Redis was emptied"
	leaseAhead   leaseFault = "Redis's clock was set forward by 10 times"
	leaseBack    leaseFault = "Redis's clock was set back by 10 times"
)

// A leaseStep is one of them, at a time.
type leaseStep struct {
	At      time.Duration
	What    leaseFault
	Who     int
	Lasting time.Duration
}

func (s leaseStep) String() string {
	return fmt.Sprintf("at %v: %d, %s, %v", s.At, s.Who, s.What, s.Lasting)
}

const (
	leaseFaultsFrom = 1500 * time.Millisecond // all jobs run by then
	leaseFaultsFor  = 8 * time.Second
	leaseCalm       = 8 * time.Second // after the last fault: by then all jobs run
	leaseKilledIn   = 2 * time.Second // within what a killed worker's jobs run elsewhere
	leaseSilentIn   = 5 * time.Second // and those of one that fell silent
	leaseOverlap    = time.Second     // for how long what was stopped may go on with what others have
	leaseSteady     = 5 * time.Second // for how long one must have had no trouble to be counted on
	leaseJobs       = 4
	leasePlaces     = 4
)

func drawLeaseSteps(seed uint64) []leaseStep {
	chance := rand.New(rand.NewPCG(seed, 7))
	all := []leaseFault{leaseStopped, leaseStopped, leaseKilled, leaseKilled, leaseCut, leaseCut, leaseHeld, leaseDeaf, leaseFell,
		leaseFell, leaseCame, leasePaused, leaseAway, leaseFlushed, leaseAhead, leaseBack}
	steps := make([]leaseStep, 1+chance.IntN(4))
	for i := range steps {
		longest := []time.Duration{2 * time.Second, 7 * time.Second}[chance.IntN(2)]
		at := leaseFaultsFrom + time.Duration(chance.Int64N(int64(leaseFaultsFor)))
		steps[i] = leaseStep{at, all[chance.IntN(len(all))], chance.IntN(6), time.Duration(chance.Int64N(int64(longest)))}
	}
	slices.SortFunc(steps, func(a, b leaseStep) int { return int(a.At - b.At) })
	return steps
}

// playLeases plays a schedule and returns what was wrong.
func playLeases(seed uint64, steps []leaseStep) string {
	w := newLeaseWorld(seed)
	for range 3 {
		w.come()
	}
	last := leaseFaultsFrom
	for _, s := range steps {
		w.clock.After(s.At, func() { w.befall(s) })
		last = max(last, s.At+s.Lasting)
	}
	for w.wrong == "" && w.clock.StepBefore(last+leaseCalm) {
	}
	w.judgeEnd()
	return w.wrong
}

// befall lets a step happen.
func (w *leaseWorld) befall(s leaseStep) {
	switch s.What {
	case leaseCame:
		w.come()
	case leasePaused, leaseAway, leaseFlushed:
		w.redis.trouble = max(w.redis.trouble, w.clock.Now()+s.Lasting)
		w.befallRedis(s)
	case leaseAhead:
		w.redis.set += 10 * s.Lasting
	case leaseBack:
		w.redis.set -= 10 * s.Lasting
	default:
		if p := w.workers[s.Who%len(w.workers)]; !p.gone {
			w.expectElsewhere(p, s)
			p.trouble = max(p.trouble, w.clock.Now()+s.Lasting)
			p.befall(s)
		}
	}
}

func (w *leaseWorld) befallRedis(s leaseStep) {
	r := w.redis
	switch s.What {
	case leaseFlushed:
		r.flush()
	case leasePaused:
		r.hold.begin()
		w.clock.After(s.Lasting, r.hold.end)
		for _, p := range w.workers {
			p.probesStop(s.Lasting)
		}
	default:
		// A worker that is cut off does not see its lanes fall. That others wait for it while Redis comes back needs that they saw it go.
		lasting := max(s.Lasting, 2*watchEvery)
		r.trouble = max(r.trouble, w.clock.Now()+lasting)
		r.away++
		for _, p := range w.workers {
			p.lanesFall()
		}
		w.clock.After(lasting, func() { r.away-- })
	}
}

// befall lets a step happen to one worker.
func (p *leaseWorker) befall(s leaseStep) {
	switch s.What { //nolint:exhaustive // the others are Redis's
	case leaseKilled:
		p.gone, p.counted = true, false
		clear(p.runs)
	case leaseStopped:
		p.process.begin()
		p.w.clock.After(s.Lasting, func() { p.goOn(s.Lasting) })
	case leaseCut:
		p.cut++
		p.up.begin()
		p.down.begin()
		p.probesStop(s.Lasting)
		p.w.clock.After(s.Lasting, func() {
			p.cut--
			p.up.end()
			p.down.end()
		})
	case leaseHeld:
		p.up.begin()
		p.w.clock.After(s.Lasting, p.up.end)
	case leaseDeaf:
		p.down.begin()
		p.w.clock.After(s.Lasting, p.down.end)
	case leaseFell:
		if p.cut > 0 {
			return // docs/worker.md: what is cut off and thrown out of Redis at once may overlap
		}
		p.fell++
		p.lanesFall()
		p.w.clock.After(s.Lasting, func() { p.fell-- })
	}
}

// TestLeaseSchedules plays many schedules. One that fails is shrunk; ACKBUS_WORKER_LEASE_SEED plays it again.
func TestLeaseSchedules(t *testing.T) {
	checked := 0
	relaytest.Schedules(t, "ACKBUS_WORKER_LEASE_SEED", relaytest.Many(leaseSchedules, leaseSchedules/10), drawLeaseSteps,
		func(seed uint64, steps []leaseStep) string {
			checked += len(steps)
			return playLeases(seed, steps)
		})
	if checked == 0 {
		t.Error("nothing was played")
	}
}

const leaseSchedules = 2000
