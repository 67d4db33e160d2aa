package judge

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// byWeight are the outcomes of a request that did not meet its requirement, the first that applies first.
var byWeight = []string{"rejected", "unknown", "unconfirmed", "closed", "dropped", "expired"}

// judgeReceipts looks at what receipts say, and at what the clients did.
func judgeReceipts(w *world, v *Verdict) {
	for _, key := range w.keys {
		c := w.calls[key]
		r := c.receipt()
		if r == nil {
			if end := c.end(); end != nil && (end.End.Failure == history.Unavailable || end.End.Failure == history.Overloaded) {
				w.judgeUnseen(v, c, "")
			}
			continue
		}
		v.examine(TrueReceipt)
		if complaint := inconsistent(c, r); complaint != "" {
			v.violatef(TrueReceipt, []history.Event{c.begin, *c.end()}, "%s to %s is %s: %s", c.name(), c.To, r.Outcome, complaint)
		}
		if r.Outcome == "no_receiver" {
			w.judgeUnseen(v, c, "")
		}
		for _, d := range r.Deliveries {
			w.judgeDelivery(v, c, &d)
		}
	}
}

// inconsistent says what in a receipt contradicts the rest of it.
func inconsistent(c *call, r *history.Receipt) string {
	sum := 0
	for _, n := range r.Counts {
		sum += n
	}
	if r.To != c.To {
		return "it is to " + r.To
	}
	if len(r.Deliveries) > sum {
		return strconv.Itoa(len(r.Deliveries)) + " deliveries, but " + strconv.Itoa(sum) + " counted"
	}
	for _, d := range r.Deliveries {
		if d.Written != nil && *d.Written < 0 || d.Settled != nil && (*d.Settled < 0 || *d.Settled > r.Elapsed+0.001) ||
			d.Written != nil && d.Settled != nil && *d.Written > *d.Settled+0.001 {
			return "the times do not fit"
		}
	}
	if want := outcomeOf(c, r, sum); want != r.Outcome {
		return "its deliveries make it " + want
	}
	return ""
}

// outcomeOf is what the deliveries amount to.
func outcomeOf(c *call, r *history.Receipt, sum int) string {
	counts, met := r.Counts, r.Counts["confirmed"]
	switch c.Level {
	case "written":
		met += counts["written"] + counts["unconfirmed"] + counts["rejected"]
	case "claimed":
		met = r.Expected // what nobody claimed is unknown besides
	}
	level := c.Level
	if level == "" {
		level = "confirmed"
	}
	needed, err := strconv.Atoi(c.Require)
	switch {
	case c.Require == "all":
		needed = max(sum, 1)
	case err != nil:
		needed = 1
	}
	if met >= needed {
		return level
	}
	for _, outcome := range byWeight {
		if counts[outcome] > 0 {
			return outcome
		}
	}
	if sum > 0 {
		return "too_few"
	}
	return "no_receiver"
}

func (w *world) judgeDelivery(v *Verdict, c *call, d *history.Delivery) {
	switch d.Outcome {
	case "confirmed":
		w.judgeAnswer(v, c, d, history.Ack)
	case "rejected":
		if d.Error == nil || d.Error.Code != "overloaded" {
			w.judgeAnswer(v, c, d, history.Nack)
		}
	case "dropped", "expired":
		w.judgeUnseen(v, c, d.Socket)
	case "closed":
		if d.Written == nil {
			w.judgeUnseen(v, c, d.Socket)
		}
	}
}

// judgeAnswer looks for the client's own word for what the receipt says.
func (w *world) judgeAnswer(v *Verdict, c *call, d *history.Delivery, want string) {
	v.examine(Confirmed)
	end := c.end()
	answers := c.origin.answers
	i := slices.IndexFunc(answers, func(e history.Event) bool {
		return e.Socket == d.Socket && e.Message.Answer == want && e.At <= end.At
	})
	if i < 0 {
		v.violatef(Confirmed, []history.Event{c.begin, *end}, "%s to %s is %s at %s, whose client did not say so",
			c.name(), c.To, d.Outcome, d.Socket)
		return
	}
	var reply history.Key
	if want == history.Ack && (json.Unmarshal(d.Reply, &reply) != nil || reply != c.origin.Key) {
		v.violatef(Confirmed, []history.Event{c.begin, answers[i], *end}, "%s to %s has the reply %s of another", c.name(), c.To, d.Reply)
	}
}

// judgeUnseen holds that a message was not seen on the socket, or on any.
func (w *world) judgeUnseen(v *Verdict, c *call, socket string) {
	if c.ID != "" {
		return // it may have been written for another call
	}
	v.examine(Unwritten)
	for _, e := range c.seen {
		if socket == "" || e.Socket == socket {
			v.violatef(Unwritten, []history.Event{c.begin, *c.end(), e}, "%s to %s was not written, says its end, but %s saw it",
				c.name(), c.To, e.Actor)
			return
		}
	}
}
