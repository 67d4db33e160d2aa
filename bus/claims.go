package bus

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/lazy"
)

// wroteTick is how long a written delivery may take to settle before it is reported as written.
const wroteTick = 20 * time.Millisecond

// claims is the node's side of every request: a pure state machine. Each method is one event at a time now; what is to be
// done about it is left in fx. Callers hold the lock of whoever owns it.
type claims struct {
	self     uuid.UUID
	selfName string
	prefix   string

	streams map[uuid.UUID]*stream
	numbers map[uint64]*stream // by number
	wheel   *wheel[record]
	awaited int // deliveries open
	most    int // of them allowed
	memory  memories

	epochs  uint64
	scratch []endpointEntry // of the claim that is being written
	sealed  []byte          // payloads of the batches that were sealed last
	ready   []*stream       // with a batch to seal
	lazy    []*stream       // with claims that need not leave by themselves yet
	telling []*record       // with counted steps to report
	wrote   []wroteRef      // written and not yet reported
	swept   time.Duration

	ignored uint64 // steps of deliveries that had settled
	fx      claimEffects
}

// claimEffects is what the machine wants done.
type claimEffects struct {
	packets   []relay.Packet
	forgotten []forgotten
	held      []held          // addresses whose subscription is to be kept
	released  []string        // keys of those for which it is no longer needed
	ended     []*lazy.Context // contexts of handlers that nobody waits for any more
	report    bool            // there are batches to seal
}

// forgotten is a ticket that is over without its endpoint's doing.
type forgotten struct {
	to *Attachment
	id uuid.UUID
}

type wroteRef struct {
	r *record
	i int
}

// keptSealed is how much memory for sealed payloads is kept.
const keptSealed = 2 << 20

// streamToken marks the packets of batches.
const streamToken = 1 << 62

func newClaims(self uuid.UUID, name, prefix string, most int) *claims {
	return &claims{self: self, selfName: name, prefix: prefix, most: most, streams: make(map[uuid.UUID]*stream),
		numbers: make(map[uint64]*stream), wheel: newWheel[record](tick, 512), memory: newMemories()}
}

// take hands over what the machine wants done.
func (c *claims) take() claimEffects {
	fx := c.fx
	c.fx = claimEffects{}
	return fx
}

func (c *claims) stream(now time.Duration, publisher uuid.UUID) *stream {
	s := c.streams[publisher]
	if s == nil {
		c.epochs++
		s = &stream{id: publisher, number: c.epochs, epoch: c.epochs, channel: replyChannel(c.prefix, publisher)}
		c.streams[publisher], c.numbers[s.number] = s, s
	}
	s.seen = now
	return s
}

// arrive takes one copy of a message for the endpoints. It returns the record of the delivery (nil: no receipt is awaited), and
// to how many endpoints to deliver: to none when the message has been taken before.
func (c *claims) arrive(now time.Duration, e *envelope, source []byte, to []*Attachment) (*record, int) {
	if !e.flags.has(flagReceipt) {
		if e.flags.has(flagChosen) && !c.memory.first(now, e, source) {
			return nil, 0
		}
		return nil, len(to)
	}
	if e.seq == 0 {
		return nil, 0 // no publisher of ours
	}
	s := c.stream(now, e.sender)
	s.raise(e.floor, func(seq uint64) { c.settleBelow(s, seq) })
	known := s.find(e.seq, source)
	switch {
	case known != nil && (!e.flags.has(flagAgain) || known.of(s, e.seq) || known.joinedAgain(s, e.seq)):
		w := known.watcher(s, e.seq)
		replays := e.flags.has(flagAgain) && known.memory != nil && w != nil && !w.again
		if replays { // once, and not what is counted and was not told yet: what is summed up would count twice
			w.again = true
			c.tellCountsOf(now, known)
		}
		c.claim(now, s, known, e, !known.of(s, e.seq))
		if replays {
			c.replay(now, s, e, known, known.memory.last)
		}
		return nil, 0
	case known == nil && (e.seq < s.floor || s.hasExpired(e.seq)):
		return nil, 0
	}
	if e.flags.has(flagChosen) {
		if r, n, handled := c.recall(now, s, e, source, to, known); handled {
			return r, n
		}
	}
	if e.flags.has(flagRecall) {
		to = nil
	}
	return c.admit(now, s, e, source, to, nil)
}

// admit claims the endpoints for a request that is new here, and the deliveries that were confirmed under its ID before.
func (c *claims) admit(now time.Duration, s *stream, e *envelope, source []byte, to []*Attachment, kept []slot) (*record, int) {
	if len(to) == 0 && len(kept) == 0 {
		s.addClaim(now, now+e.left, claimEntry{seq: e.seq, attempt: e.attempt, source: source})
		c.report(s)
		return nil, 0
	}
	r := newRecord(e, source, to)
	r.slots = append(r.slots, kept...)
	r.deadline = now + e.left
	r.maker, r.number = s, e.seq
	r.watchers = append(r.watchers, watcher{stream: s, seq: e.seq})
	s.file(e.seq, r)
	c.wheel.schedule(&r.timer, r.deadline)
	s.addClaim(now, r.deadline, c.claimEntry(r, e, false))
	if r.attempt = e.attempt; len(kept) == 0 && r.level != Claimed && endsBound(e.to) {
		c.laze(s) // no other node claims: nobody learns anything from the claim alone
	} else {
		c.report(s)
	}
	refused := c.awaited+len(to) > c.most || e.flags.has(flagChosen) && !c.remember(r, e)
	c.awaited += r.open
	if refused {
		for i := range to {
			c.settle(now, r, i, OutcomeRejected, memo{code: CodeOverloaded, message: "the node awaits too many acknowledgements"})
		}
		return r, 0
	}
	if r.level == Claimed {
		for i := range to {
			c.close(r, i, OutcomeClaimed)
		}
	}
	return r, len(to)
}

// claim answers one copy, and has the answer sent.
func (c *claims) claim(now time.Duration, s *stream, r *record, e *envelope, joined bool) {
	r.attempt = max(r.attempt, e.attempt)
	s.addClaim(now, max(r.deadline, now+e.left), c.claimEntry(r, e, joined))
	c.report(s)
}

// claimEntry is the answer to a copy. It is good until the next one.
func (c *claims) claimEntry(r *record, e *envelope, joined bool) claimEntry {
	entry := claimEntry{seq: e.seq, attempt: e.attempt, source: r.source, n: len(r.slots)}
	if joined {
		entry.flags |= claimJoined
	}
	if r.summed {
		entry.flags |= claimSummed
		return entry
	}
	c.scratch = c.scratch[:0]
	for i := range r.slots {
		c.scratch = append(c.scratch, r.slots[i].to.entry)
	}
	entry.endpoints = c.scratch
	return entry
}

// report has the stream's batch sealed and sent, as soon as none is on its way.
func (c *claims) report(s *stream) {
	if s.queued || s.flight > 0 {
		return
	}
	s.queued = true
	c.ready = append(c.ready, s)
	c.fx.report = true
}

// laze has the stream's claims leave with what is reported next, or with the next tick: an answer that comes soon travels with
// its claim.
func (c *claims) laze(s *stream) {
	if !s.lazy {
		s.lazy = true
		c.lazy = append(c.lazy, s)
	}
}

// seal closes the batches that are due and puts them on their way. Their payloads are good until the next call.
func (c *claims) seal(now time.Duration) {
	c.tellCounts(now)
	c.sealed = c.sealed[:0]
	for _, s := range c.ready {
		for _, b := range s.seal(now) {
			s.flight++
			begin := len(c.sealed)
			c.sealed = appendReports(c.sealed, c.self, c.selfName, s.epoch, b, now)
			c.fx.packets = append(c.fx.packets, relay.Packet{Channel: s.channel, Token: streamToken | s.number, Wait: true,
				Payload: c.sealed[begin:len(c.sealed):len(c.sealed)]})
		}
	}
	c.ready = c.ready[:0]
	if cap(c.sealed) > keptSealed {
		c.sealed = nil
	}
}

// published takes what became of a batch's packet. One that was lost is asked for.
func (c *claims) published(r relay.Result) {
	s := c.numbers[r.Token&^streamToken]
	if s == nil {
		return
	}
	s.flight--
	if r.Err != nil {
		s.astray = s.sent
	}
	if len(s.buf) > 0 || s.sent < s.last || len(c.telling) > 0 {
		c.report(s)
	}
}

// ask takes a publisher's word of how far it has heard, and with resend sends it what it is missing.
func (c *claims) ask(now time.Duration, publisher uuid.UUID, epoch, highest, floor uint64, resend bool) {
	s := c.stream(now, publisher)
	s.raise(floor, func(seq uint64) { c.settleBelow(s, seq) })
	if epoch == s.epoch {
		s.heard(highest)
	} else {
		highest = 0
	}
	c.fx.packets = append(c.fx.packets, relay.Packet{Channel: s.channel, Payload: encodeTally(c.self, s.epoch, s.lowest(), s.lost)})
	if resend {
		c.resend(now, s, highest)
	}
}

// resend sends the batches above the highest again, a part of them at a time. One that left a moment ago may be on its way.
func (c *claims) resend(now time.Duration, s *stream, highest uint64) {
	size := 0
	for i := range s.kept {
		b := &s.kept[i]
		if b.number <= highest || b.number > s.sent || now-b.sealed < askAgain || b.resent > 0 && now-b.resent < askEvery {
			continue
		}
		if size += len(b.entries); size > resendBytes && size > len(b.entries) {
			return
		}
		b.resent = now
		c.fx.packets = append(c.fx.packets, relay.Packet{Channel: s.channel, Wait: true,
			Payload: appendReports(make([]byte, 0, len(b.entries)+96), c.self, c.selfName, s.epoch, *b, now)})
	}
}

// cancel takes the news that a publisher waits no longer. If it gave up, and nobody else waits, the handlers' contexts end.
func (c *claims) cancel(publisher uuid.UUID, seq uint64, gaveUp bool) {
	s := c.streams[publisher]
	if s == nil {
		return
	}
	for _, r := range s.records.get(seq) {
		w := r.watcher(s, seq)
		if w == nil {
			continue
		}
		w.mute = true
		if gaveUp && !slices.ContainsFunc(r.watchers, func(w watcher) bool { return !w.mute }) {
			c.giveUp(r)
		}
	}
}

// advance lets time pass.
func (c *claims) advance(now time.Duration) {
	for _, s := range c.lazy {
		if s.lazy = false; len(s.buf) > 0 {
			c.report(s)
		}
	}
	clear(c.lazy)
	c.lazy = c.lazy[:0]
	c.wheel.advance(now, func(r *record) { c.due(now, r) })
	if now-c.swept >= wroteTick {
		c.swept = now
		c.tellWritten(now)
	}
}

// idle reports whether time may pass unseen.
func (c *claims) idle() bool {
	return c.wheel.len() == 0 && len(c.wrote)+len(c.lazy) == 0
}

// sweep forgets publishers that have fallen silent, and batches that nobody waits for. It is called about once a second.
func (c *claims) sweep(now time.Duration) {
	c.forget(now)
	for id, s := range c.streams {
		s.expire(now)
		if now-s.seen > forgetAfter && len(s.kept) == 0 && s.records.len() == 0 && s.settled() {
			delete(c.streams, id)
			delete(c.numbers, s.number)
		}
	}
}
