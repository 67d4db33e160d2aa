package judge

import (
	"slices"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// lateness is how long after its deadline a message may still be delivered.
const lateness = 2500 * time.Millisecond

// sentAgain is the least time after which a message is sent again.
const sentAgain = 250 * time.Millisecond

// receivers is who is touched by what happens between clients and nodes, and the process of the clients.
const receivers = "clients"

// judgeSights looks at each message that a client saw.
func judgeSights(w *world, v *Verdict) {
	ids := make(map[string]history.Key)
	for _, key := range w.keys {
		c := w.calls[key]
		w.judgeIdentity(v, c, ids)
		w.judgeOnce(v, c)
		w.judgeLate(v, c)
	}
}

func (w *world) judgeIdentity(v *Verdict, c *call, ids map[string]history.Key) {
	var id string
	if r := c.receipt(); r != nil {
		id = r.ID
	}
	if c.ID != "" && id != "" && id != c.ID {
		v.violatef(Identity, []history.Event{c.begin, *c.end()}, "%s has the ID %s, and %s was chosen", c.name(), id, c.ID)
	}
	for _, e := range c.seen {
		v.examine(Identity)
		if id == "" {
			id = e.Message.ID
		}
		if e.Message.ID != id {
			v.violatef(Identity, []history.Event{c.begin, e}, "%s has the IDs %s and %s", c.name(), id, e.Message.ID)
		}
		if s := w.sockets[e.Socket]; s == nil || e.Message.To != c.To || !s.holds(c.To) {
			v.violatef(Identity, []history.Event{c.begin, e}, "%s to %s came to %s as one to %s", c.name(), c.To, e.Actor, e.Message.To)
		}
	}
	if other, known := ids[id]; known && id != "" && w.calls[other].origin != c.origin {
		v.violatef(Identity, []history.Event{c.begin, w.calls[other].begin}, "%s and %s have the same ID", c.name(), w.calls[other].name())
	}
	if id != "" {
		ids[id] = c.Key
	}
}

func (w *world) judgeOnce(v *Verdict, c *call) {
	sockets, clients, handled := map[string]history.Event{}, map[string]history.Event{}, map[string]history.Event{}
	for _, e := range c.seen {
		v.examine(Once)
		if first, again := sockets[e.Socket]; again && (!e.Message.Redelivered || !c.askedAgain()) {
			v.violatef(Once, []history.Event{first, e}, "%s to %s came twice to the socket %s of %s", c.name(), c.To, e.Socket, e.Actor)
		} else if first, again := clients[e.Actor]; again {
			v.examine(Marked)
			if !e.Message.Redelivered && !w.firstCopy(c, &e) {
				v.violatef(Marked, []history.Event{first, e}, "%s to %s came again to %s and was not marked", c.name(), c.To, e.Actor)
			}
		}
		if first, again := handled[e.Actor]; again && e.Message.Handled {
			v.violatef(Once, []history.Event{first, e}, "%s to %s was handled twice by %s", c.name(), c.To, e.Actor)
		}
		sockets[e.Socket], clients[e.Actor] = e, e
		if e.Message.Handled {
			handled[e.Actor] = e
		}
	}
}

// firstCopy reports whether what a client saw again may have been a copy of the first attempt that was on its way to another node when the
// client moved there. Nobody sends again sooner than after a while; what holds a copy up is a fault, or a process that stood still.
func (w *world) firstCopy(c *call, e *history.Event) bool {
	s, during := w.sockets[e.Socket], span{c.begin.At, e.At}
	if s == nil || w.touched(during, s.node, machine, c.From, c.Publisher) {
		return s != nil
	}
	excused := w.stalled(during, s.node, machine, proxies, receivers, c.From, c.Publisher)
	return time.Duration(e.At-c.begin.At) <= sentAgain+excused
}

// judgeLate holds messages that were awaited against their deadline. What is only published has none. Bytes that are held up between a
// node and a client, or that the client does not read, were written before.
func (w *world) judgeLate(v *Verdict, c *call) {
	if end := c.end(); c.Publish || end != nil && end.End.Failure == history.Broken { // the node's time may have begun much later
		return
	}
	deadline := c.Deadline
	for _, again := range c.repeats {
		deadline = max(deadline, again.Deadline)
	}
	for _, e := range c.seen {
		v.examine(Late)
		late := time.Duration(e.At - deadline)
		if late <= 0 {
			continue
		}
		excused := w.heldUp(span{c.begin.At, e.At})
		if c.Entry != "" {
			excused += carriage + w.stalled(span{c.begin.At, e.At}, c.Entry)
		}
		v.measure(Late, late-excused)
		if late > lateness+excused {
			v.violatef(Late, []history.Event{c.begin, e}, "%s to %s came to %s %v after its deadline, held up for %v",
				c.name(), c.To, e.Actor, late, excused)
		}
	}
}

func (w *world) heldUp(s span) time.Duration {
	held := slices.Concat(s.of(w.stalls[receivers]), s.of(w.stalls[proxies]))
	for _, f := range w.faults {
		if f.touches(receivers) {
			held = append(held, f.span)
		}
	}
	return s.within(held)
}
