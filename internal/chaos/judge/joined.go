package judge

import (
	"slices"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// met reports whether the call got what it wanted.
func (c *call) met() bool {
	r := c.receipt()
	if r == nil {
		return false
	}
	level := c.Level
	if level == "" {
		level = "confirmed"
	}
	return r.Outcome == level
}

// askedAgain reports whether the call, or one that repeats it, did not get what it wanted: then it is sent again under its ID.
func (c *call) askedAgain() bool {
	return len(c.repeats) > 0 && (!c.met() || slices.ContainsFunc(c.repeats, func(again *call) bool { return !again.met() }))
}

// judgeJoined looks at calls that repeat one that was met. What a node remembers dies with it, so only quiet times count.
func judgeJoined(w *world, v *Verdict) {
	disturbed := w.disturbances()
	for _, key := range w.keys {
		before := w.calls[key]
		for _, again := range before.repeats {
			if before.met() && again.end() != nil && before.calm(span{before.begin.At, again.end().At}, nil, disturbed) {
				w.judgeAgain(v, before, again)
			}
			before = again
		}
	}
}

func (w *world) judgeAgain(v *Verdict, before, again *call) {
	v.examine(Joined)
	evidence := []history.Event{before.begin, *before.end(), again.begin, *again.end()}
	if r := again.receipt(); r == nil || r.Outcome != before.receipt().Outcome || !slices.Equal(settled(r), settled(before.receipt())) {
		v.violatef(Joined, evidence, "%s to %s did not end as %s, whose ID it has", again.name(), again.To, before.name())
	}
	for _, e := range again.origin.seen {
		if e.At > again.begin.At && e.At < again.end().At {
			v.violatef(Joined, append(evidence, e), "%s to %s was delivered again", again.name(), again.To)
		}
	}
}

// settled are the sockets of a receipt with what became of them, in order.
func settled(r *history.Receipt) []string {
	all := make([]string, len(r.Deliveries))
	for i, d := range r.Deliveries {
		all[i] = d.Socket + " " + d.Outcome
	}
	slices.Sort(all)
	return all
}
