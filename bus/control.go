package bus

import (
	"time"

	"github.com/google/uuid"
	"github.com/tinylib/msgp/msgp"
)

// The envelopes by which nodes speak with each other about requests, and about themselves.

// control is one of them, parsed. Which fields are set depends on its kind.
type control struct {
	kind    kind
	node    uuid.UUID // the sender
	name    []byte
	batch   batch         // of reports; base is its age until it is known when it arrived
	age     time.Duration // of the batch
	epoch   uint64
	highest uint64 // batch heard without a hole
	lowest  uint64 // batch that can still be sent
	lost    uint64 // last batch that was dropped although somebody may wait for it
	floor   uint64
	seq     uint64
	resend  bool
	gaveUp  bool
	member  announcement
}

// announcement is what a member tells about itself.
type announcement struct {
	sockets int
	methods int
	version uint64 // of the methods
	number  uint64 // of the announcement: those to all and those to one may overtake each other
	flags   memberFlags
}

type memberFlags uint8

const (
	memberObserver memberFlags = 1 << iota
	memberDraining
	memberLeaving
	memberSettled
	memberAnswers // a roll call
)

func appendReports(p []byte, node uuid.UUID, name string, epoch uint64, b keptBatch, now time.Duration) []byte {
	p = msgp.AppendArrayHeader(p, 7)
	p = msgp.AppendUint8(p, uint8(kindReports))
	p = msgp.AppendBytes(p, node[:])
	p = msgp.AppendString(p, name)
	p = msgp.AppendUint64(p, epoch)
	p = msgp.AppendUint64(p, b.number)
	p = appendMicros(p, now-b.base)
	return msgp.AppendBytes(p, b.entries)
}

func encodeAsk(publisher uuid.UUID, epoch, highest, floor uint64, resend bool) []byte {
	p := msgp.AppendArrayHeader(nil, 6)
	p = msgp.AppendUint8(p, uint8(kindAsk))
	p = msgp.AppendBytes(p, publisher[:])
	p = msgp.AppendUint64(p, epoch)
	p = msgp.AppendUint64(p, highest)
	p = msgp.AppendUint64(p, floor)
	return appendFlag(p, resend)
}

func encodeTally(node uuid.UUID, epoch, lowest, lost uint64) []byte {
	p := msgp.AppendArrayHeader(nil, 5)
	p = msgp.AppendUint8(p, uint8(kindTally))
	p = msgp.AppendBytes(p, node[:])
	p = msgp.AppendUint64(p, epoch)
	p = msgp.AppendUint64(p, lowest)
	return msgp.AppendUint64(p, lost)
}

func encodeCancel(publisher uuid.UUID, seq uint64, gaveUp bool) []byte {
	p := msgp.AppendArrayHeader(nil, 4)
	p = msgp.AppendUint8(p, uint8(kindCancel))
	p = msgp.AppendBytes(p, publisher[:])
	p = msgp.AppendUint64(p, seq)
	return appendFlag(p, gaveUp)
}

func appendFlag(p []byte, set bool) []byte {
	if set {
		return msgp.AppendUint8(p, 1)
	}
	return msgp.AppendUint8(p, 0)
}

func encodeAnnounce(node uuid.UUID, name string, a announcement) []byte {
	p := msgp.AppendArrayHeader(nil, 8)
	p = msgp.AppendUint8(p, uint8(kindAnnounce))
	p = msgp.AppendBytes(p, node[:])
	p = msgp.AppendString(p, name)
	p = msgp.AppendUint8(p, uint8(a.flags))
	p = msgp.AppendInt(p, a.sockets)
	p = msgp.AppendInt(p, a.methods)
	p = msgp.AppendUint64(p, a.version)
	return msgp.AppendUint64(p, a.number)
}

func encodeRollCall(node uuid.UUID) []byte {
	p := msgp.AppendArrayHeader(nil, 2)
	p = msgp.AppendUint8(p, uint8(kindRollCall))
	return msgp.AppendBytes(p, node[:])
}

// controlFields is how many elements the envelope of each kind has.
var controlFields = [...]uint32{kindMessage: messageFields, kindReports: 7, kindAsk: 6, kindTally: 5, kindCancel: 4,
	kindAnnounce: 8, kindRollCall: 2}

// kind reads the beginning of an envelope.
func (r *reader) kind() kind {
	n := r.length()
	k := kind(r.uint())
	if r.err == nil && (k < kindMessage || k > kindRollCall || controlFields[k] != n) {
		r.fail(errEnvelope)
	}
	return k
}

// parse reads what follows the kind.
func (c *control) parse(k kind, r *reader) {
	*c = control{kind: k, node: r.uuid()}
	switch k {
	case kindReports:
		c.name = r.text()
		c.batch = batch{epoch: r.uint(), number: r.uint()}
		c.age = r.micros()
		c.batch.entries = r.bytes()
	case kindAsk:
		c.epoch, c.highest, c.floor, c.resend = r.uint(), r.uint(), r.uint(), r.uint() == 1
	case kindTally:
		c.epoch, c.lowest, c.lost = r.uint(), r.uint(), r.uint()
	case kindCancel:
		c.seq, c.gaveUp = r.uint(), r.uint() == 1
	case kindMessage, kindRollCall: // the one is no control, the other has nothing more
	case kindAnnounce:
		c.name = r.text()
		c.member = announcement{flags: memberFlags(r.uint()), sockets: r.count(), methods: r.count(), version: r.uint(), number: r.uint()}
	}
	if len(c.name) > MaxName {
		r.fail(errEnvelope)
	}
}
