package judge

import (
	"slices"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

const (
	// lateRun is how long after its deadline something may be delivered.
	lateRun = 2500 * time.Millisecond
	// noticing is how long a handler's context may outlast a caller who has given up.
	noticing = 100 * time.Millisecond
)

// judgeMethods looks at the calls of methods.
func judgeMethods(w *world, v *Verdict) {
	disturbed := w.disturbances()
	for _, key := range w.methods.keys {
		t := w.methods.all[key]
		w.judgeEnds(v, CallsEnd, t)
		w.judgeReply(v, t)
		w.judgeRuns(v, t)
		w.judgeRunsEnd(v, t, disturbed)
		w.judgeCalmCall(v, t, disturbed)
	}
}

// judgeReply holds that what came back belongs to the call, from the node that is said.
func (w *world) judgeReply(v *Verdict, t *task) {
	o := t.outcome()
	if o == nil || o.Code != "" && o.Code != history.Bad {
		return
	}
	v.examine(Replies)
	answered := slices.ContainsFunc(t.turns, func(u *turn) bool {
		return u.over && u.text == "" && u.life.to <= t.ends[0].At && (o.Node == "" || o.Node == u.actor)
	})
	if o.Code == "" && (o.Answer == nil || *o.Answer != t.Key) {
		v.violatef(Replies, t.evidence(), "%s got the answer of %+v", t.name(), o.Answer)
	} else if !answered {
		v.violatef(Replies, t.evidence(), "%s got an answer of %q, which did not give one", t.name(), o.Node)
	}
}

// judgeRuns holds that a call which must not run twice does not, one that is said not to have run did not, and none begins too late.
func (w *world) judgeRuns(v *Verdict, t *task) {
	v.examine(RunsOnce)
	if len(t.turns) > 1 && t.Manner != history.Safe {
		v.violatef(RunsOnce, []history.Event{t.begin, t.turns[0].begin, t.turns[1].begin}, "%s ran %d times", t.name(), len(t.turns))
	}
	if o := t.outcome(); o != nil && o.Code != "" && !o.Ran {
		v.examine(NotRun)
		if len(t.turns) > 0 {
			v.violatef(NotRun, append(t.evidence(), t.turns[0].begin), "%s is %s, which says that it did not run", t.name(), o.Code)
		}
	}
	for _, u := range t.turns {
		v.examine(Late)
		late := duration(t.Deadline, u.life.from)
		excused := w.stalled(span{t.Deadline, u.life.from}, u.actor, machine)
		v.measure(Late, late-excused)
		if late > lateRun+excused {
			v.violatef(Late, []history.Event{t.begin, u.begin}, "%s ran %v after its deadline", t.name(), late)
		}
	}
}

// judgeRunsEnd holds that handlers end when their callers have given up: soon, in a quiet time; and always when a message that came as
// late as it may has no time left.
func (w *world) judgeRunsEnd(v *Verdict, t *task, d *disturbance) {
	for _, u := range t.turns {
		v.examine(RunsEnd)
		limit := t.Deadline + lateRun.Nanoseconds()
		if len(t.ends) > 0 && !u.meetsFaults(d) && w.undisturbed(t, d) && t.outcome().Code != "" {
			limit = t.ends[0].At
		}
		late := duration(limit, u.life.to)
		excused := w.stalled(u.life, u.actor, machine, t.Publisher)
		if late > noticing+excused {
			v.violatef(RunsEnd, append(t.evidence(), u.begin), "%s ran at %s until %v after it should have ended, with stalls of %v",
				t.name(), u.actor, late, excused)
		}
	}
}

func (u *turn) meetsFaults(d *disturbance) bool { return len(u.life.of(d.times)) > 0 }

// judgeCalmCall holds that calls in quiet times end as their manner has it.
func (w *world) judgeCalmCall(v *Verdict, t *task, d *disturbance) {
	if !w.undisturbed(t, d) || t.Quits > 0 || duration(t.begin.At, t.Deadline) < unhurried+time.Duration(t.Millis)*time.Millisecond {
		return
	}
	want := ""
	switch t.Manner {
	case history.Bad:
		want = history.Bad
	case history.Absent:
		want = "unknown_method"
	}
	v.examine(CalmCalls)
	switch {
	case t.outcome().Code == want:
	case w.slowed(t.span()):
		v.excuse(CalmCalls)
	default:
		v.violatef(CalmCalls, t.evidence(), "%s ended as %q, and nothing was wrong: %s", t.name(), t.outcome().Code, t.outcome().Detail)
	}
}
