package bus

import (
	"bytes"
	"log/slog"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// receiver is the side of the bus that the relay speaks to.
type receiver struct{ *Bus }

// Receive takes a payload apart and hands each envelope on.
func (b receiver) Receive(m relay.Message) {
	r := reader{p: m.Payload}
	var (
		e   envelope
		c   control
		now = b.now()
		due bool // claims are to be reported: those of one payload together
	)
	defer func() {
		if due {
			b.report()
		}
	}()
	for len(r.p) > 0 {
		k := r.kind()
		if r.err == nil && k == kindMessage {
			if e.parse(&r); r.err == nil {
				due = b.message(now, &e, m.Pattern) || due
			}
		} else if r.err == nil {
			if c.parse(k, &r); r.err == nil {
				b.control(&c, &r)
			}
		}
		if r.err != nil {
			b.metrics.odd()
			b.log.Warn("bytes that are no envelope", slog.String("channel", m.Channel), slog.Any("error", r.err))
			return
		}
	}
}

// message takes one copy of a message: it is claimed, then handed to the endpoints. It says whether that is to be reported.
func (b *Bus) message(now time.Duration, e *envelope, pattern string) (due bool) {
	var (
		few    [8]*Attachment
		key    = e.to
		source []byte
	)
	if pattern != "" {
		key = []byte(pattern)
		source = key
	}
	place, here := b.directory.find(key, few[:0])
	b.claimsMu.Lock()
	record, n := b.claims.arrive(now, e, source, here)
	fx := b.claims.take()
	b.claimsMu.Unlock()
	due, fx.report = fx.report, false
	b.performClaims(fx)
	if e.flags.has(flagReceipt) {
		b.rouse()
	}
	if n == 0 {
		return due
	}
	m := e.message(place, pattern != "", b.epoch.Add(now))
	m.Redelivered = m.Redelivered || record != nil && record.again
	for i := range n {
		if record == nil {
			here[i].endpoint.Deliver(m, Ticket{})
			continue
		}
		t := Ticket{b, record, i}
		if record.level == Claimed {
			t = Ticket{}
		}
		record.slots[i].to.endpoint.Deliver(m, t)
	}
	return due
}

// message is the envelope as the endpoints at the place see it.
func (e *envelope) message(at *place, byPattern bool, now time.Time) *Message {
	to := at.to
	if byPattern {
		to, _ = ParseAddress(string(e.to))
	}
	m := &Message{ID: e.id, To: to, Event: at.eventOf(e.event), Body: Body{format: e.format, bytes: bytes.Clone(e.body)}, From: e.sender,
		Headers: e.headers, Ack: e.flags.has(flagReceipt) && !e.flags.has(flagWritten|flagClaimed), Volatile: e.flags.has(flagVolatile),
		Redelivered: e.flags.has(flagRepeat)}
	if e.left > 0 {
		m.Deadline = now.Add(e.left)
	}
	return m
}

// control takes what nodes tell each other.
func (b *Bus) control(c *control, r *reader) {
	switch c.kind {
	case kindReports, kindTally:
		b.requestsMu.Lock()
		now := b.now()
		var err error
		if c.kind == kindTally {
			err = b.requests.tally(now, c.node, c.epoch, c.lowest, c.lost)
		} else {
			c.batch.base = now - c.age
			err = b.requests.reports(now, c.node, c.name, c.batch)
		}
		if err != nil {
			r.fail(err)
		}
		fx := b.requests.take()
		b.requestsMu.Unlock()
		b.perform(fx)
	case kindAsk, kindCancel:
		b.claimsMu.Lock()
		if c.kind == kindAsk {
			b.claims.ask(b.now(), c.node, c.epoch, c.highest, c.floor, c.resend)
		} else {
			b.claims.cancel(c.node, c.seq, c.gaveUp)
		}
		fx := b.claims.take()
		b.claimsMu.Unlock()
		b.performClaims(fx)
	case kindAnnounce:
		b.withMembers(func(now time.Duration) { b.members.announced(now, c) })
	case kindMessage: // not here
	case kindRollCall:
		b.withMembers(func(time.Duration) { b.members.called(c.node) })
	}
}

// Published takes what became of packets.
func (b receiver) Published(results []relay.Result) { b.Bus.published(results) }

func (b *Bus) published(results []relay.Result) {
	var requests, claims, members bool
	b.requestsMu.Lock()
	now := b.now()
	for _, r := range results {
		switch {
		case r.Token == rollToken:
			members = true
		case r.Token&streamToken != 0:
			claims = true
		default:
			requests = true
			b.requests.published(now, r)
		}
	}
	fx := b.requests.take()
	b.requestsMu.Unlock()
	if requests {
		b.perform(fx)
	}
	if claims {
		b.publishedReports(results)
	}
	if members {
		b.publishedMembers(results)
	}
}

func (b *Bus) publishedMembers(results []relay.Result) {
	for _, r := range results {
		if r.Token == rollToken {
			b.withMembers(func(now time.Duration) { b.members.rolled(now, r) })
		}
	}
}

func (b *Bus) publishedReports(results []relay.Result) {
	b.claimsMu.Lock()
	for _, r := range results {
		if r.Token&streamToken != 0 && r.Token&askToken == 0 {
			b.claims.published(r)
		}
	}
	fx := b.claims.take()
	b.claimsMu.Unlock()
	b.performClaims(fx)
}

// Lane takes the fall and the rise of a lane.
func (b receiver) Lane(e relay.LaneEvent) {
	now := b.now()
	b.lanesMu.Lock()
	known := b.down[e.Lane]
	if e.Up {
		delete(b.down, e.Lane)
	} else {
		b.down[e.Lane] = true
	}
	b.noteReach(now)
	b.lanesMu.Unlock()
	if known != e.Up {
		return // nothing new
	}
	b.log.Debug("lane", slog.Int("lane", e.Lane), slog.Bool("up", e.Up), slog.Any("reason", e.Reason))
	b.requestsMu.Lock()
	b.requests.lane(now, e.Up)
	fx := b.requests.take()
	b.requestsMu.Unlock()
	b.perform(fx)
	b.withMembers(func(now time.Duration) { b.members.gap(now) })
}
