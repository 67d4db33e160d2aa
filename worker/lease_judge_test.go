package worker

import "time"

// sound reports whether a worker has had no trouble for a while, nor had Redis.
func (w *leaseWorld) sound(p *leaseWorker) bool {
	return !p.gone && w.calmSince(p, w.clock.Now()-leaseSteady)
}

func (w *leaseWorld) calmSince(p *leaseWorker, since time.Duration) bool {
	return max(p.trouble, w.redis.trouble) <= since
}

// mayOverlap reports whether a process is stopped, or was just now.
func (p *leaseWorker) mayOverlap() bool {
	return p.process.shut > 0 || p.w.clock.Now()-p.continued <= leaseOverlap
}

// judgeStart holds that a job starts while nobody else works at it, but for who was stopped.
func (w *leaseWorld) judgeStart(p *leaseWorker, d leaseDelivery) {
	for _, other := range w.workers {
		if had, runs := other.runs[d.id]; runs && other != p && !other.mayOverlap() && !p.mayOverlap() {
			w.failf("%v starts job %d with token %d, and %v runs it with token %d", p.node, d.id, d.token, other.node, had.token)
		}
	}
}

// judgeContinued holds that a process which was stopped has let go of what others have.
func (w *leaseWorld) judgeContinued(p *leaseWorker) {
	if p.mayOverlap() && w.clock.Now()-p.continued < leaseOverlap || p.process.shut > 0 {
		return // stopped again
	}
	for id := range p.runs {
		for _, other := range w.workers {
			if _, runs := other.runs[id]; runs && other != p && other.process.shut == 0 {
				w.failf("%v has run job %d since it was continued, and %v runs it too", p.node, id, other.node)
			}
		}
	}
}

// judgeTakeOver holds that who has no trouble is not taken for gone.
func (w *leaseWorld) judgeTakeOver(p *leaseWorker) {
	if w.sound(p) {
		w.failf("%v is taken for gone, and nothing is wrong with it", p.node)
	}
}

// judgeFence holds that who has no trouble does not stop working.
func (w *leaseWorld) judgeFence(p *leaseWorker) {
	if w.sound(p) {
		w.failf("%v takes itself for cut off, and nothing is wrong with it", p.node)
	}
}

// expectElsewhere holds that what a worker has, that is killed or silent for long enough, runs elsewhere in time, if anybody else is sound.
func (w *leaseWorld) expectElsewhere(p *leaseWorker, s leaseStep) {
	within := leaseSilentIn
	switch {
	case s.What == leaseKilled:
		within = leaseKilledIn
	case s.Lasting < leaseSilentIn || s.What != leaseCut && s.What != leaseStopped:
		return
	}
	began := w.clock.Now()
	had := make(map[int]bool)
	for _, j := range w.redis.jobs {
		had[j.id] = j.owner == p
	}
	if !w.sound(p) {
		return // it may have been fenced, or been about to be
	}
	w.clock.After(within, func() {
		sound := false
		for _, other := range w.workers {
			if other != p && !other.gone && !w.calmSince(other, began-leaseSteady) {
				return
			}
			sound = sound || other != p && !other.gone
		}
		for _, j := range w.redis.jobs {
			if sound && had[j.id] && w.runners(j.id, p) == 0 {
				w.failf("%v was lost %v ago (%s), and nobody else runs its job %d", p.node, within, s.What, j.id)
			}
		}
	})
}

// runners is how many run a job, one aside.
func (w *leaseWorld) runners(id int, aside *leaseWorker) (n int) {
	for _, p := range w.workers {
		if _, runs := p.runs[id]; runs && p != aside {
			n++
		}
	}
	return n
}

// judgeEnd holds that in the end every job runs once.
func (w *leaseWorld) judgeEnd() {
	alive := 0
	for _, p := range w.workers {
		if !p.gone {
			alive++
		}
	}
	for _, j := range w.redis.jobs {
		if n := w.runners(j.id, nil); alive > 0 && n != 1 {
			w.failf("job %d is run by %d workers", j.id, n)
		}
	}
}
