package judge

import (
	"slices"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

const (
	// arrival is how long a message may take to a client when nothing is wrong.
	arrival = time.Second
	// telling is how long before the end of its call a client's answer must be on its way to count.
	telling = 200 * time.Millisecond
)

// judgeCalm looks closer at calls in quiet times: what was handed over arrives, unmarked, and what a client answers in time counts.
func judgeCalm(w *world, v *Verdict) {
	disturbed := w.disturbances()
	for _, key := range w.keys {
		c := w.calls[key]
		end := c.end()
		if end == nil || end.End.Failure != "" || c.ID != "" { // an ID that was chosen may be known already
			continue
		}
		there, all := w.present(c)
		if !c.calm(lengthened(c.span(), arrival), there, disturbed) {
			continue
		}
		for _, s := range there {
			w.judgeArrival(v, c, s)
		}
		if all {
			w.judgeUnmarked(v, c, there)
		}
		w.judgeTold(v, c)
	}
}

// judgeArrival holds that a socket which was there got the message, also one that was only published: nothing gives it up without a cause.
func (w *world) judgeArrival(v *Verdict, c *call, s *socket) {
	whole := lengthened(c.span(), arrival)
	if c.Volatile || c.Deadline-c.begin.At < unhurried.Nanoseconds() || s.life.to < whole.to {
		return
	}
	v.examine(Arrived)
	i := slices.IndexFunc(c.seen, func(e history.Event) bool { return e.Socket == s.id })
	if i >= 0 {
		late := time.Duration(c.seen[i].At - c.end().At)
		excused := w.stalled(span{c.begin.At, c.seen[i].At}, s.node, proxies, receivers, machine, c.From, c.Publisher)
		v.measure(Arrived, late-excused)
		if late <= arrival+excused {
			return
		}
	} else if w.hindered(c) {
		v.excuse(Arrived)
		return
	}
	v.violatef(Arrived, []history.Event{c.begin, *c.end()}, "%s to %s did not come to %s of %s, although nothing was wrong",
		c.name(), c.To, s.id, s.client)
}

// judgeUnmarked: where nothing is sent again, nothing may say so, or the rule of order would have little to look at.
func (w *world) judgeUnmarked(v *Verdict, c *call, there []*socket) {
	for _, s := range there {
		i := slices.IndexFunc(c.seen, func(e history.Event) bool { return e.Socket == s.id })
		if i < 0 {
			continue
		}
		v.examine(Marked)
		e := c.seen[i]
		switch {
		case !e.Message.Redelivered:
		case w.hindered(c) || w.anyStalled(span{c.begin.At, e.At}) >= sentAgain/hindrance:
			v.excuse(Marked)
		default:
			v.violatef(Marked, []history.Event{c.begin, e}, "%s to %s says that it came again, although nothing was wrong", c.name(), c.To)
		}
	}
}

// anyStalled is for how long some process stood still.
func (w *world) anyStalled(s span) time.Duration {
	var all []span
	for _, stalls := range w.stalls {
		all = append(all, s.of(stalls)...)
	}
	return s.within(all)
}

// judgeTold holds that an answer which was on its way in time stands in the receipt.
func (w *world) judgeTold(v *Verdict, c *call) {
	r := c.receipt()
	if r == nil || c.Level != "" {
		return
	}
	end := c.end().At
	for _, e := range c.answers {
		s, before := w.sockets[e.Socket], time.Duration(min(end, c.Deadline)-e.At)
		if s == nil || s.life.to < end || before < telling || before < telling+w.anyStalled(span{e.At, end}) {
			continue
		}
		v.examine(Told)
		want := map[string]string{history.Ack: "confirmed", history.Nack: "rejected"}[e.Message.Answer]
		if !slices.ContainsFunc(r.Deliveries, func(d history.Delivery) bool { return d.Socket == e.Socket && d.Outcome == want }) {
			v.violatef(Told, []history.Event{c.begin, e, *c.end()}, "%s to %s: %s was %s, and the receipt does not say so",
				c.name(), c.To, e.Socket, want)
		}
	}
}
