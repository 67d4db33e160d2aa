package worker

import (
	"maps"
	"time"

	"github.com/google/uuid"
)

// A leaseWorker is a pool's process as far as leases go: heartbeats, the guard, the watch over the others, and its connections.
type leaseWorker struct {
	w       *leaseWorld
	node    uuid.UUID
	id      workerID
	view    *view
	process gate // shut while it is stopped
	up      gate // for its commands
	down    gate // for their answers
	gone    bool

	counted  bool // Redis holds a connection of a lane
	unheld   bool // it has no lane, and knows
	since    time.Duration
	cut      int
	fell     int
	beaten   time.Duration // when the last heartbeat that Redis took had left
	began    bool          // Redis knows it
	fenced   bool
	fetching bool
	audited  time.Duration
	lost     bool                  // it may have jobs that it never heard of
	runs     map[int]leaseDelivery // handlers whose contexts have not ended
	known    map[int]bool          // these, and what is being given back

	trouble   time.Duration // until when it had some
	continued time.Duration // when it went on after it was stopped
}

func (w *leaseWorld) come() {
	node := uuid.UUID{15: byte(len(w.workers) + 1)}
	p := &leaseWorker{w: w, node: node, id: newWorkerID(node, "w"), counted: true, beaten: w.clock.Now(), runs: make(map[int]leaseDelivery),
		known: make(map[int]bool), continued: -leaseOverlap}
	p.view = newView(defaultLease, w.moment(), w.moment().Add(-calmAfter))
	w.workers = append(w.workers, p)
	if w.redis.away > 0 {
		p.lanesFall()
	}
	p.tend()
	p.after(guardEvery, p.guard)
	p.after(watchEvery, p.watch)
}

// do has the process do something, once it goes on if it is stopped.
func (p *leaseWorker) do(what func()) {
	p.process.pass(func() {
		if !p.gone {
			what()
		}
	})
}

func (p *leaseWorker) after(d time.Duration, what func()) { p.w.clock.After(d, func() { p.do(what) }) }

// goOn ends a stop. The lanes of one that was stopped for long are given up at once.
func (p *leaseWorker) goOn(stopped time.Duration) {
	p.continued = p.w.clock.Now()
	if stopped > laneLease && !p.gone {
		p.lanesFall()
	}
	p.process.end()
	p.w.clock.After(leaseOverlap, func() { p.w.judgeContinued(p) })
}

// call sends a command, which Redis carries out. The answer comes within commandTimeout, or ok is false.
func (p *leaseWorker) call(carryOut func(), answered func(ok bool)) {
	over := false
	end := func(ok bool) {
		p.do(func() {
			if !over {
				over = true
				answered(ok)
			}
		})
	}
	left := p.w.clock.Now()
	pass := func(g *gate, next func()) { // what is held up on its way may come too late
		if g.shut > 0 {
			p.w.clock.After(left+commandTimeout-p.w.clock.Now(), func() { end(false) })
		}
		g.pass(next)
	}
	reply := func(ok bool) { p.w.hop(func() { pass(&p.down, func() { end(ok) }) }) }
	p.w.hop(func() {
		pass(&p.up, func() {
			pass(&p.w.redis.hold, func() {
				if p.w.redis.away == 0 {
					carryOut()
				}
				reply(p.w.redis.away == 0)
			})
		})
	})
}

// laneLease is for how long a lane stands whose probes don't return.
const laneLease = 2500 * time.Millisecond

// probesStop has no probe return for a while.
func (p *leaseWorker) probesStop(lasting time.Duration) {
	if lasting > laneLease {
		p.after(laneLease, p.noLane)
	}
}

// lanesFall has Redis's ends of all lanes close. Who is cut off does not see it.
func (p *leaseWorker) lanesFall() {
	p.counted = false
	if p.cut > 0 {
		p.w.clock.After(laneLease, func() { p.do(p.noLane) })
	} else {
		p.do(p.noLane)
	}
}

// noLane notes that no lane stands, and opens them again once that is possible.
func (p *leaseWorker) noLane() {
	if p.unheld {
		return
	}
	p.unheld, p.since = true, p.w.clock.Now()
	p.open()
}

func (p *leaseWorker) open() {
	p.after(time.Duration(p.w.rng.Int64N(int64(100*time.Millisecond))), func() {
		if p.fell > 0 || p.cut > 0 || p.w.redis.away > 0 || p.w.redis.hold.shut > 0 {
			p.open()
			return
		}
		p.unheld, p.counted = false, true
	})
}

func (p *leaseWorker) unreachable() time.Duration {
	if !p.unheld {
		return 0
	}
	return p.w.clock.Now() - p.since
}

func (p *leaseWorker) silent() time.Duration { return p.w.clock.Now() - p.beaten }

// guard is Pool.guard's round.
func (p *leaseWorker) guard() {
	p.after(guardEvery, p.guard)
	cut := cutOff(p.unreachable(), p.silent())
	if cut && !p.fenced {
		p.w.judgeFence(p)
		p.lose()
	}
	p.fenced = cut
	p.fetch()
}

// lose ends the contexts of all handlers, whose jobs are given back.
func (p *leaseWorker) lose() {
	lost := maps.Clone(p.runs)
	clear(p.runs)
	for id := range p.w.redis.made + 1 { // in order
		if d, ran := lost[id]; ran {
			p.giveBack(d)
		}
	}
}

func (p *leaseWorker) giveBack(d leaseDelivery) {
	p.call(func() { p.w.redis.giveBack(p, d) }, func(ok bool) {
		if !ok {
			p.after(100*time.Millisecond, func() { p.giveBack(d) })
			return
		}
		delete(p.known, d.id)
	})
}

// tend is intake.tend's round.
func (p *leaseWorker) tend() {
	left, known := p.w.clock.Now(), false
	p.call(func() { known = p.w.redis.tend(p) }, func(ok bool) {
		if !ok {
			p.after(tendAfter, p.tend)
			return
		}
		p.beaten = left
		if p.began && !known {
			p.lose()
		}
		p.began = true
		p.after(beatEvery, p.tend)
		if p.w.clock.Now()-p.audited >= auditEvery {
			p.audited, p.lost = p.w.clock.Now(), true
			p.call(p.w.redis.mine, func(bool) {})
		}
	})
}

// fetch asks for jobs where some wait, and after an audit for those whose delivery was lost.
func (p *leaseWorker) fetch() {
	n := leasePlaces - len(p.known)
	waits := p.lost
	for _, j := range p.w.redis.jobs {
		waits = waits || j.owner == nil
	}
	if !waits || n == 0 || p.fetching || p.fenced || !p.began {
		return
	}
	p.fetching, p.lost = true, false
	var out []leaseDelivery
	known := maps.Clone(p.known)
	p.call(func() { out = p.w.redis.fetch(p, n, known) }, func(ok bool) {
		p.fetching = false
		for _, d := range out {
			if !ok {
				return
			}
			p.known[d.id] = true
			if p.fenced {
				p.giveBack(d)
				continue
			}
			p.w.judgeStart(p, d)
			p.runs[d.id] = d
		}
	})
}

// watch is Pool.watchOthers' round.
func (p *leaseWorker) watch() {
	began := p.w.clock.Now()
	again := func() { p.after(watchEvery-min(p.w.clock.Now()-began, watchEvery), p.watch) }
	if blind(p.unreachable(), p.silent()) {
		p.view.broken(p.w.moment())
	}
	broken := func() {
		p.view.broken(p.w.moment())
		again()
	}
	var seen []sighting
	var present map[uuid.UUID]bool
	p.call(func() { seen = p.w.redis.sightings(p) }, func(ok bool) {
		if !ok {
			broken()
			return
		}
		p.call(func() { present = p.w.redis.present() }, func(ok bool) {
			if !ok {
				broken()
				return
			}
			p.takeOver(p.view.judge(seen, present, p.w.moment()), again)
		})
	})
}

// takeOver is done one after another.
func (p *leaseWorker) takeOver(gone []verdict, then func()) {
	if len(gone) == 0 {
		then()
		return
	}
	p.call(func() { p.w.redis.reap(gone[0].id, gone[0].beat) }, func(bool) { p.takeOver(gone[1:], then) })
}
