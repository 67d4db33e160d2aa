package judge

import (
	"slices"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// noticed is how soon what a node had claimed must be over.
func (f *fault) noticed() (time.Duration, bool) {
	switch f.Does {
	case history.Kills:
		return time.Second, true
	case history.Silences:
		return 3 * time.Second, true
	}
	return 0, false
}

// judgeDeaths looks at calls of methods that ran at an instance when it died or fell silent, and at requests under way when a node did, all
// of whose deliveries were that node's and came to nothing. A publisher that had trouble of its own at the time may not judge others, so
// only faults that stand alone count.
func judgeDeaths(w *world, v *Verdict) {
	for i := range w.faults {
		f := &w.faults[i]
		limit, deadly := f.noticed()
		if !deadly || !w.alone(f, limit) {
			continue
		}
		for _, key := range w.keys {
			if c := w.calls[key]; c.begin.At < f.from && c.span().to > f.from && w.lost(c, f) {
				w.judgeDeath(v, c, f, limit)
			}
		}
		for _, key := range w.methods.keys {
			w.judgeCallAtDeath(v, w.methods.all[key], f, limit)
		}
	}
}

// alone reports whether no other fault is near.
func (w *world) alone(f *fault, limit time.Duration) bool {
	near := span{f.from, f.from + limit.Nanoseconds()}
	return !slices.ContainsFunc(w.faults, func(o fault) bool {
		return o.Number != f.Number && o.Does != history.Shifts && lengthened(o.span, settling).meets(near)
	})
}

// lost reports whether all that became of the call is that one touched node fell silent. What is said to be unconfirmed on a socket of
// before was as little told by a node that was dead by then.
func (w *world) lost(c *call, f *fault) bool {
	r := c.receipt()
	if r == nil || r.Expected == 0 || f.touches(c.From, c.Publisher) {
		return false
	}
	return !slices.ContainsFunc(r.Deliveries, func(d history.Delivery) bool {
		s := w.sockets[d.Socket]
		nothing := d.Outcome == "unknown" || d.Outcome == "unconfirmed" && f.Does == history.Kills && s != nil && s.life.from < f.from
		return !nothing || !f.touches(d.Node)
	})
}

func (w *world) judgeDeath(v *Verdict, c *call, f *fault, limit time.Duration) {
	v.examine(Death)
	end := c.end()
	took := time.Duration(end.At - f.from)
	actors := []string{c.Publisher, proxies}
	if c.Entry != "" {
		actors = append(actors, c.Entry)
	}
	excused := w.stalled(span{f.from, end.At}, actors...)
	v.measure(Death, took-excused)
	if took > limit+excused && c.Deadline > f.from+(limit+excused).Nanoseconds() {
		v.violatef(Death, []history.Event{c.begin, *end}, "%s to %s ended %v after fault %d (%s), with stalls of %v",
			c.name(), c.To, took, f.Number, f.Name, excused)
	}
}

// judgeCallAtDeath holds that a call which ran at an instance that is gone has ended, or runs elsewhere, as soon as requests have.
func (w *world) judgeCallAtDeath(v *Verdict, t *task, f *fault, limit time.Duration) {
	for _, u := range t.turns {
		over := t.span().to
		if f.touches(t.Publisher) || !f.touches(u.actor) || u.life.from > f.from || over < f.from ||
			u.over && u.life.to < f.from+limit.Nanoseconds() {
			continue
		}
		for _, other := range t.turns {
			if other.life.from > u.life.from {
				over = min(over, other.life.from)
			}
		}
		v.examine(Death)
		took, excused := duration(f.from, over), w.stalled(span{f.from, over}, t.Publisher, machine)
		v.measure(Death, min(took, duration(f.from, t.GivenUp()))-excused)
		if took > limit+excused && t.GivenUp() > f.from+(limit+excused).Nanoseconds() {
			v.violatef(Death, append(t.evidence(), u.begin), "%s ended %v after fault %d (%s), with stalls of %v", t.name(), took, f.Number,
				f.Name, excused)
		}
	}
}
