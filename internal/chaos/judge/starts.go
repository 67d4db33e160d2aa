package judge

import (
	"slices"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

const (
	// handover is how long after its context's end a handler's own word of it may come.
	handover = 50 * time.Millisecond
	// standstill is how long a worker must have stood still for others to think it gone.
	standstill = 500 * time.Millisecond
	// heartbeat is how soon a worker that goes on learns what it has lost, where it reaches Redis, and blind where it does not.
	heartbeat, blind = time.Second, 3 * time.Second
)

// judgeFence holds that starts have tokens that rise, that each is of one handler, and that who completed a job is who started it last, and
// did it.
func (w *world) judgeFence(v *Verdict, j *jobStory) {
	if j.kept == nil && len(j.turns) == 0 {
		return
	}
	v.examine(Fenced)
	var k history.Job
	if j.kept != nil {
		k = *j.kept.Job
	}
	rising := slices.IsSorted(k.Tokens) && len(slices.Compact(slices.Clone(k.Tokens))) == len(k.Tokens)
	last := uint64(0)
	if n := len(k.Tokens); n > 0 {
		last = k.Tokens[n-1]
	}
	completed := k.Done > 0 && !k.Lost
	switch {
	case !rising || completed && (last == 0 || k.DoneBy != 0 && k.DoneBy != last):
		v.violatef(Fenced, j.evidence(), "%s was completed with token %d, and had the starts %v", j.id, k.DoneBy, k.Tokens)
	case completed && !slices.ContainsFunc(j.turns, func(u *turn) bool { return u.Token == last && u.effect() }):
		v.violatef(Fenced, j.evidence(), "%s was completed by a start that had no effect", j.id)
	}
	for i, u := range j.turns {
		if i > 0 && j.turns[i-1].Token == u.Token || !slices.Contains(k.Tokens, u.Token) {
			v.violatef(Fenced, j.evidence(), "%s ran at %s with token %d, twice or without a start: %v", j.id, u.actor, u.Token, k.Tokens)
		}
	}
}

// judgeAlone holds that the handler of an attempt has ended before a later one starts, unless its process stood still.
func (w *world) judgeAlone(v *Verdict, j *jobStory) {
	for i, now := range j.turns {
		for _, before := range j.turns[:i] {
			v.examine(Alone)
			overlap, may := duration(now.life.from, before.life.to), w.mayOverlap(before, now.life.from)
			switch {
			case overlap > may:
				v.violatef(Alone, j.evidence(), "%s ran at %s and at %s for %v, and may for %v", j.id, before.actor, now.actor, overlap,
					may)
			case overlap > handover:
				v.excuse(Alone)
			}
		}
	}
}

// mayOverlap is for how long an attempt may go on where another has started. A process that stood still learns of it when it goes on.
func (w *world) mayOverlap(before *turn, started int64) time.Duration {
	may := handover + w.stalled(span{started - handover.Nanoseconds(), before.life.to}, before.actor)
	learns := heartbeat
	if w.touched(span{started, before.life.to}, machine) {
		learns = blind
	}
	for _, stood := range (span{started - learns.Nanoseconds(), before.life.to}).of(w.stalls[before.actor]) {
		if duration(stood.from, stood.to) >= standstill {
			may = max(may, duration(started, stood.to)+learns+handover)
		}
	}
	return may
}

// missed is how soon others take over what a worker had in hand to whom that happened. A standstill must last for as long.
func (f *fault) missed() (time.Duration, bool) {
	switch f.Does {
	case history.Kills:
		return 2 * time.Second, true
	case history.Silences:
		return 5 * time.Second, duration(f.from, f.to) > 5*time.Second
	}
	return 0, false
}

// judgeTakeover holds that what a worker had in hand that was killed, or stopped for long, is started elsewhere soon.
func (w *world) judgeTakeover(v *Verdict, j *jobStory) {
	for i := range w.faults {
		f := &w.faults[i]
		limit, missed := f.missed()
		if !missed || j.lost() || !w.alone(f, limit) {
			continue
		}
		for n, u := range j.turns {
			if !f.touches(u.actor) || u.life.from > f.from || u.over && u.life.to < f.from+limit.Nanoseconds() {
				continue
			}
			w.judgeTakenOver(v, j, n, f, limit)
		}
	}
}

func (w *world) judgeTakenOver(v *Verdict, j *jobStory, n int, f *fault, limit time.Duration) {
	v.examine(TakenOver)
	took, excused := time.Duration(forever), time.Duration(0)
	if n+1 < len(j.turns) {
		next := j.turns[n+1]
		took = duration(f.from, next.life.from)
		excused = w.stalled(span{f.from, next.life.from}, next.actor, machine)
	} else if j.turns[n].Attempt >= mostAttempts { // it was the last
		return
	}
	v.measure(TakenOver, took-excused)
	switch {
	case took > limit+excused:
		v.violatef(TakenOver, j.evidence(), "%s started elsewhere %v after fault %d (%s), with stalls of %v", j.id, took, f.Number, f.Name,
			excused)
	case took > limit:
		v.excuse(TakenOver)
	}
}

// judgeCalmStarts holds that in quiet times a job starts soon, and no more often than its manner has it: who works is not taken for dead.
func (w *world) judgeCalmStarts(v *Verdict, t *task, d *disturbance) {
	if t.First > 0 || !t.takenIn() {
		return
	}
	w.judgeCalmStart(v, CalmJobs, t, t.begin.At+t.Delay, d)
	if len(t.turns) == 0 {
		return
	}
	whole, most := span{t.begin.At, t.turns[len(t.turns)-1].life.to}, 1
	if t.Manner == history.Flaky {
		most = 2
	}
	if len(whole.of(d.times)) > 0 {
		return
	}
	v.examine(CalmJobs)
	switch {
	case len(t.turns) <= most:
	case w.slowed(whole, hindrance*standstill):
		v.excuse(CalmJobs)
	default:
		v.violatef(CalmJobs, append(t.evidence(), t.turns[len(t.turns)-1].begin), "%s was started %d times, and nothing was wrong",
			t.name(), len(t.turns))
	}
}
