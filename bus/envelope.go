package bus

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/tinylib/msgp/msgp"
)

// Bounds of envelope headers.
const (
	MaxHeaders     = 32
	MaxHeaderBytes = 8 << 10 // keys and values together
)

// errEnvelope is wrapped by every error about bytes on the wire that are no envelope.
var errEnvelope = errors.New("bus: bad envelope")

// kind is the first element of every envelope. An envelope is a msgpack array; a payload is one or more of them, one after another.
type kind uint8

const (
	kindMessage  kind = iota + 1 // a message, with or without a receipt
	kindReports                  // a node's reports to a publisher, one numbered batch
	kindAsk                      // a publisher tells a node how far it has heard
	kindTally                    // a node's answer to an ask
	kindCancel                   // a publisher waits no longer
	kindAnnounce                 // a member tells about itself
	kindRollCall                 // a newcomer asks all members to
)

// flags of a message.
type flags uint16

const (
	flagReceipt  flags = 1 << iota // reports are awaited
	flagVolatile                   // not worth queueing
	flagChosen                     // the caller chose the ID: it is remembered
	flagAgain                      // the ID's first outcome did not meet its requirement: deliver to those that did not confirm
	flagWritten                    // the level is Written
	flagClaimed                    // the level is Claimed
	flagSummary                    // always sum up
	flagEach                       // never sum up
	flagRecall                     // is the ID known? Nothing is delivered where it is not
	flagRepeat                     // it may have been delivered before
)

func (f flags) has(other flags) bool { return f&other != 0 }

// when is the flags if set, and none otherwise.
func (f flags) when(set bool) flags {
	if set {
		return f
	}
	return 0
}

// envelope is a message on the wire. Parsed, its byte slices belong to the payload.
type envelope struct {
	id      uuid.UUID
	sender  uuid.UUID
	seq     uint64
	floor   uint64
	attempt uint32
	flags   flags
	left    time.Duration // to the deadline, in whole milliseconds on the wire; 0: none
	to      []byte
	event   []byte
	headers map[string]string
	format  Format
	body    []byte
}

const messageFields = 13

func (e *envelope) append(p []byte) []byte {
	p = msgp.AppendArrayHeader(p, messageFields)
	p = msgp.AppendUint8(p, uint8(kindMessage))
	p = msgp.AppendBytes(p, e.id[:])
	p = msgp.AppendBytes(p, e.sender[:])
	p = msgp.AppendUint64(p, e.seq)
	p = msgp.AppendUint64(p, e.floor)
	p = msgp.AppendUint32(p, e.attempt)
	p = msgp.AppendUint16(p, uint16(e.flags))
	p = msgp.AppendUint32(p, uint32((e.left+time.Millisecond-1)/time.Millisecond))
	p = msgp.AppendStringFromBytes(p, e.to)
	p = msgp.AppendStringFromBytes(p, e.event)
	p = msgp.AppendMapHeader(p, uint32(len(e.headers)))
	for key, value := range e.headers {
		p = msgp.AppendString(msgp.AppendString(p, key), value)
	}
	p = msgp.AppendUint8(p, uint8(e.format))
	return msgp.AppendBytes(p, e.body)
}

func (e *envelope) parse(r *reader) {
	*e = envelope{id: r.uuid(), sender: r.uuid(), seq: r.uint(), floor: r.uint(), attempt: uint32(r.uint()), flags: flags(r.uint()),
		left: r.millis(), to: r.text(), event: r.text(), headers: r.headers(), format: Format(r.uint()), body: r.bytes()}
	if r.err == nil && (e.format > FormatRaw || len(e.to) > MaxName+len("socket:") || len(e.event) > MaxName) {
		r.fail(errEnvelope)
	}
}

// reader takes an envelope apart. It allocates nothing but headers, never reads past its bytes, and keeps the first error.
type reader struct {
	p   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %w", errEnvelope, err)
	}
	r.p = nil
}

// array begins an array, which must have n elements, and returns nothing: the elements follow.
func (r *reader) array(n uint32) {
	if got := r.length(); r.err == nil && got != n {
		r.fail(fmt.Errorf("array of %d, want %d", got, n))
	}
}

// length begins an array of any length that its bytes can hold.
func (r *reader) length() uint32 {
	n, rest, err := msgp.ReadArrayHeaderBytes(r.p)
	if err != nil || int(n) > len(rest) {
		r.fail(errors.Join(errEnvelope, err))
		return 0
	}
	r.p = rest
	return n
}

func (r *reader) uint() uint64 {
	n, rest, err := msgp.ReadUint64Bytes(r.p)
	if err != nil {
		r.fail(err)
		return 0
	}
	r.p = rest
	return n
}

// count reads a number that is used as an int.
func (r *reader) count() int {
	n := r.uint()
	if n > 1<<31 {
		r.fail(errEnvelope)
		return 0
	}
	return int(n)
}

func (r *reader) millis() time.Duration { return time.Duration(r.count()) * time.Millisecond }
func (r *reader) micros() time.Duration { return time.Duration(r.count()) * time.Microsecond }

func (r *reader) bytes() []byte {
	v, rest, err := msgp.ReadBytesZC(r.p)
	if err != nil {
		r.fail(err)
		return nil
	}
	r.p = rest
	return v
}

func (r *reader) text() []byte {
	v, rest, err := msgp.ReadStringZC(r.p)
	if err != nil {
		r.fail(err)
		return nil
	}
	r.p = rest
	return v
}

func (r *reader) uuid() (id uuid.UUID) {
	v := r.bytes()
	if r.err == nil && len(v) != len(id) {
		r.fail(errEnvelope)
	}
	copy(id[:], v)
	return id
}

func (r *reader) headers() map[string]string {
	n, rest, err := msgp.ReadMapHeaderBytes(r.p)
	if err != nil || n > MaxHeaders {
		r.fail(errors.Join(errEnvelope, err))
		return nil
	}
	r.p = rest
	if n == 0 {
		return nil
	}
	headers := make(map[string]string, n)
	for range n {
		headers[string(r.text())] = string(r.text())
	}
	return headers
}

// checkHeaders holds what a caller attached against the bounds.
func checkHeaders(headers map[string]string) error {
	size := 0
	for key, value := range headers {
		size += len(key) + len(value)
	}
	if len(headers) > MaxHeaders || size > MaxHeaderBytes {
		return fmt.Errorf("%w: %d headers of %d bytes together, at most %d and %d bytes are allowed", ErrTooLarge,
			len(headers), size, MaxHeaders, MaxHeaderBytes)
	}
	return nil
}
