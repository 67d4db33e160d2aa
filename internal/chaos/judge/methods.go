package judge

import (
	"fmt"
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

// judgeReply holds that what a caller is told is so: an answer belongs to the call, and is from the node that is said; and a failure has
// its cause.
func (w *world) judgeReply(v *Verdict, t *task) {
	o := t.outcome()
	if o == nil {
		return
	}
	v.examine(Replies)
	answered := slices.ContainsFunc(t.turns, func(u *turn) bool {
		return u.effect() && u.life.to <= t.ends[0].At && (o.Node == "" || o.Node == u.actor)
	})
	early := t.ends[0].At < t.GivenUp()-grace.Nanoseconds()
	wrong := ""
	switch o.Code {
	case "", history.Bad:
		switch {
		case o.Code == "" && (o.Answer == nil || *o.Answer != t.Key):
			wrong = fmt.Sprintf("got the answer of %+v", o.Answer)
		case !answered:
			wrong = fmt.Sprintf("got an answer of %q, which did not give one", o.Node)
		case (o.Code == history.Bad) != (t.Manner == history.Bad):
			wrong = "got an answer that its method does not give"
		}
	case "timeout":
		if early {
			wrong = "is timed out, and had time left"
		}
	case "cancelled":
		if early || t.Quits == 0 && !w.touched(t.span()) {
			wrong = "is cancelled, and nobody gave up"
		}
	case "unknown", "unavailable", "overloaded", "draining", "unknown_method": // whether these may be is for the rule of calm calls
	default:
		wrong = "ended as no call may: " + o.Code + ", " + o.Detail
	}
	if wrong != "" {
		v.violatef(Replies, t.evidence(), "%s %s", t.name(), wrong)
	}
}

// judgeRuns holds that a call which must not run twice does not, nor any twice at one instance; that one which is said not to have run did
// not; and that none begins too late.
func (w *world) judgeRuns(v *Verdict, t *task) {
	v.examine(RunsOnce)
	if len(t.turns) > 1 && t.Manner != history.Safe {
		v.violatef(RunsOnce, []history.Event{t.begin, t.turns[0].begin, t.turns[1].begin}, "%s ran %d times", t.name(), len(t.turns))
	}
	for i, u := range t.turns {
		if slices.ContainsFunc(t.turns[:i], func(o *turn) bool { return o.actor == u.actor }) {
			v.violatef(RunsOnce, []history.Event{t.begin, u.begin}, "%s ran twice at %s", t.name(), u.actor)
		}
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

// judgeRunsEnd holds that handlers end when their callers have given up: soon, in a quiet time; and always within the time that the call
// had, for a message says how much of it is left, and comes as late as it may at most.
func (w *world) judgeRunsEnd(v *Verdict, t *task, d *disturbance) {
	for _, u := range t.turns {
		v.examine(RunsEnd)
		limit := min(t.Deadline+lateRun.Nanoseconds(), u.life.from+t.Deadline-t.begin.At)
		if len(t.ends) > 0 && !u.meetsFaults(d) && w.undisturbed(t, d) && t.outcome().Code != "" {
			limit = t.ends[0].At
		}
		late, actors := duration(limit, u.life.to), []string{u.actor, machine, t.Publisher}
		excused := w.stalled(span{t.begin.At, u.life.from}, actors...) + w.stalled(span{limit, u.life.to}, actors...)
		switch v.measure(RunsEnd, late-excused); {
		case late > noticing+excused:
			v.violatef(RunsEnd, append(t.evidence(), u.begin), "%s ran at %s until %v after it should have ended, with stalls of %v",
				t.name(), u.actor, late, excused)
		case late > noticing:
			v.excuse(RunsEnd)
		}
	}
}

func (u *turn) meetsFaults(d *disturbance) bool { return len(u.life.of(d.times)) > 0 }

// judgeCalmCall holds that calls in quiet times start soon, and end as their manner and their time have it.
func (w *world) judgeCalmCall(v *Verdict, t *task, d *disturbance) {
	given, takes := duration(t.begin.At, t.Deadline), time.Duration(t.Millis)*time.Millisecond
	if t.Quits > 0 || min(given, (given-takes).Abs()) < unhurried {
		return
	}
	want := ""
	switch {
	case t.Manner == history.Absent:
		want = "unknown_method"
	case takes > given:
		want = "timeout"
	case t.Manner == history.Bad:
		want = history.Bad
	}
	if t.Manner != history.Absent {
		w.judgeCalmStart(v, CalmCalls, t, t.begin.At, d)
	}
	if !w.undisturbed(t, d) {
		return
	}
	v.examine(CalmCalls)
	switch o := t.outcome(); {
	case o.Code == want && (t.Manner != history.Absent || !o.Ran):
	case w.short(t):
		v.excuse(CalmCalls)
	default:
		v.violatef(CalmCalls, t.evidence(), "%s ended as %q (ran: %v), and nothing was wrong: %s", t.name(), o.Code, o.Ran, o.Detail)
	}
}
