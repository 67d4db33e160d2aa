package bus

import (
	"container/list"
	"hash/maphash"
	"slices"
	"time"

	"github.com/google/uuid"
)

// How long, and how many, IDs that callers chose are remembered.
const (
	rememberFor  = 30 * time.Second // beyond the deadline; for what was only published: from its arrival
	rememberMost = 1_000_000
	rememberSize = 64 << 20 // of replies
)

// memory is what a node keeps of an ID that a caller chose, so that the same ID used again joins.
type memory struct {
	timer  timer[memory]
	key    memoryKey
	digest uint64        // of the content
	record *record       // nil: it was only published
	held   string        // the key of the address, whose subscription is kept for as long
	last   []memo        // by slot of the record
	size   int           // of the replies
	place  *list.Element // among those with replies; nil: it has none
}

type memoryKey struct {
	id     uuid.UUID
	source string
}

// memo is how a delivery ended.
type memo struct {
	reply   Body
	code    string
	message string
	at      time.Duration
}

// memories is all that a node remembers of chosen IDs. It is bounded: replies are given up first; an ID is refused rather than
// another one forgotten early.
type memories struct {
	table map[memoryKey]*memory
	wheel *wheel[memory]
	seed  maphash.Seed
	order list.List // of those with replies, oldest first
	size  int
}

func newMemories() memories {
	return memories{table: make(map[memoryKey]*memory), wheel: newWheel[memory](100*tick, 64), seed: maphash.MakeSeed()}
}

func (m *memories) digest(e *envelope) uint64 {
	var h maphash.Hash
	h.SetSeed(m.seed)
	for _, part := range [...][]byte{e.to, e.event, {byte(e.format)}, e.body} {
		h.Write(part)
		h.WriteByte(0)
	}
	return h.Sum64()
}

// first reports whether an ID that is only published is seen for the first time, and remembers it.
func (m *memories) first(now time.Duration, e *envelope, source []byte) bool {
	key := memoryKey{e.id, string(source)}
	if m.table[key] != nil || len(m.table) >= rememberMost {
		return false
	}
	mem := &memory{key: key, digest: m.digest(e)}
	m.file(mem, now+rememberFor)
	return true
}

// remember keeps a record's ID, and its address subscribed. It reports false when there is no room.
func (c *claims) remember(r *record, e *envelope) bool {
	m := &c.memory
	key := memoryKey{r.id, string(r.source)}
	if old := m.table[key]; old != nil {
		c.unremember(old)
	} else if len(m.table) >= rememberMost {
		return false
	}
	h := held{key: string(e.to)}
	if key.source != "" {
		h = held{key: key.source, pattern: true}
	}
	c.fx.held = append(c.fx.held, h)
	r.memory = &memory{key: key, digest: m.digest(e), record: r, held: h.key, last: make([]memo, len(r.slots))}
	m.file(r.memory, r.deadline+rememberFor)
	return true
}

// unremember gives up a memory.
func (c *claims) unremember(mem *memory) {
	remembered := mem.record != nil
	c.memory.drop(mem)
	if remembered {
		c.fx.released = append(c.fx.released, mem.held)
	}
}

func (m *memories) file(mem *memory, until time.Duration) {
	mem.timer.owner = mem
	m.table[mem.key] = mem
	m.wheel.schedule(&mem.timer, until)
}

func (m *memories) drop(mem *memory) {
	delete(m.table, mem.key)
	m.wheel.stop(&mem.timer)
	m.giveUp(mem)
	mem.last, mem.record = nil, nil
}

// keep remembers how a delivery ended. Old replies make room for new ones.
func (m *memories) keep(r *record, i int, last memo) {
	mem := r.memory
	if i >= len(mem.last) {
		return
	}
	mem.last[i] = last
	if n := len(last.reply.bytes) + len(last.code) + len(last.message); n > 0 {
		if mem.place == nil {
			mem.place = m.order.PushBack(mem)
		}
		mem.size += n
		m.size += n
	}
	for m.size > rememberSize {
		oldest, ok := m.order.Front().Value.(*memory)
		if !ok {
			return
		}
		m.giveUp(oldest)
		for j := range oldest.last {
			oldest.last[j].reply, oldest.last[j].message = Body{}, ""
		}
	}
}

// giveUp counts the replies of a memory as gone.
func (m *memories) giveUp(mem *memory) {
	if mem.place != nil {
		m.order.Remove(mem.place)
		mem.place = nil
	}
	m.size -= mem.size
	mem.size = 0
}

// recall handles a request whose ID is remembered: it joins the deliveries that began under the ID, or makes them again. It reports
// whether it did; otherwise see arrive.
func (c *claims) recall(now time.Duration, s *stream, e *envelope, source []byte, to []*Attachment, known *record) (*record, int, bool) {
	mem := c.memory.table[memoryKey{e.id, string(source)}]
	switch {
	case mem == nil || mem.record == nil:
		return nil, 0, false
	case mem.digest != c.memory.digest(e):
		s.addClaim(now, now+e.left, claimEntry{seq: e.seq, attempt: e.attempt, source: source, flags: claimConflict})
		c.report(s)
		return nil, 0, true
	case e.flags.has(flagAgain) && (known == mem.record || known == nil) || mem.record.level != levelOf(e.flags):
		r, n := c.renew(now, s, e, source, to, mem)
		return r, n, true
	}
	if known != nil {
		s.leave(e.seq, known)
	}
	c.join(now, s, e, mem)
	return nil, 0, true
}

// join adds a watcher to deliveries that began with another request.
func (c *claims) join(now time.Duration, s *stream, e *envelope, mem *memory) {
	c.tellCounts(now)
	r := mem.record
	r.watchers = slices.DeleteFunc(r.watchers, func(w watcher) bool { return w.mute || r.open == 0 && w.seq < w.stream.floor })
	s.file(e.seq, r)
	c.claim(now, s, r, e, true)
	c.replay(now, s, e, r, mem.last)
	r.watchers = append(r.watchers, watcher{stream: s, seq: e.seq, until: now + e.left, again: e.flags.has(flagAgain)})
}

// replay reports to one publisher how deliveries ended before it asked.
func (c *claims) replay(now time.Duration, s *stream, e *envelope, r *record, last []memo) {
	for i := range r.slots {
		if !r.slots[i].settled && r.slots[i].wrote == 0 {
			continue
		}
		step := r.step(now, i)
		if r.counted(step.outcome) {
			step.endpoint = nil
		}
		if i < len(last) && r.slots[i].settled {
			m := last[i]
			step.reply, step.code, step.message = m.reply, m.code, m.message
			if step.waited >= 0 {
				step.waited = m.at - r.slots[i].wrote
			}
		}
		s.addStep(now, max(r.deadline, now+e.left), e.seq, step)
	}
}

// renew delivers again under an ID whose first outcome did not meet its requirement, to those that did not confirm.
func (c *claims) renew(now time.Duration, s *stream, e *envelope, source []byte, to []*Attachment, mem *memory) (*record, int) {
	old := mem.record
	var (
		done []slot
		last []memo
	)
	for i := range old.slots {
		if old.slots[i].outcome == OutcomeConfirmed && i < len(mem.last) {
			done, last = append(done, old.slots[i]), append(last, mem.last[i])
		}
	}
	s.leave(e.seq, old)
	r, n := c.admit(now, s, e, source, without(to, done), done)
	if r == nil || r.memory == nil {
		return r, n
	}
	r.again = true
	fresh := len(r.slots) - len(done)
	for i, m := range last {
		c.memory.keep(r, fresh+i, m)
	}
	r.watchers[0].again = e.flags.has(flagAgain)
	c.replay(now, s, e, r, r.memory.last)
	return r, n
}

// without returns the attachments that no slot is of.
func without(to []*Attachment, done []slot) []*Attachment {
	var rest []*Attachment
next:
	for _, a := range to {
		for i := range done {
			if done[i].to == a {
				continue next
			}
		}
		rest = append(rest, a)
	}
	return rest
}

// forget gives up memories whose time is over.
func (c *claims) forget(now time.Duration) {
	c.memory.wheel.advance(now, func(mem *memory) {
		r := mem.record
		c.unremember(mem)
		if r == nil {
			return
		}
		for _, w := range r.watchers {
			w.stream.remove(w.seq, r)
		}
	})
}
