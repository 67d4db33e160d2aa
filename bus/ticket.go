package bus

import (
	"cmp"
	"strings"
	"time"

	"github.com/ackbus/ackbus/internal/lazy"
)

// A Ticket is one delivery that a publisher waits for. Each of its methods reports a step, once: what comes later, or
// to the zero Ticket (nobody waits), changes nothing. They may be called from any goroutine and don't block.
type Ticket struct {
	bus    *Bus
	record *record
	index  int
}

// Awaited reports whether a publisher waits for the delivery.
func (t Ticket) Awaited() bool { return t.record != nil }

// Writing says that the message is about to be written, so that the node no longer says of it that its time ran out before. It
// reports false where that has been said, or the delivery is over: then it must not be written.
func (t Ticket) Writing() bool {
	if t.record == nil {
		return true
	}
	t.bus.claimsMu.Lock()
	defer t.bus.claimsMu.Unlock()
	return t.bus.claims.writing(t.record, t.index)
}

// Written says that the message was handed to the kernel.
func (t Ticket) Written() { t.step(t.now(), OutcomeWritten, memo{}) }

// Confirm says that the endpoint acknowledged, with a reply. It reports whether that settled the delivery.
func (t Ticket) Confirm(reply Body) bool { return t.confirm(t.now(), reply) }

func (t Ticket) confirm(now time.Duration, reply Body) bool {
	if t.record == nil {
		return false
	}
	if err := t.bus.checkBody(reply); err != nil {
		return t.reject(now, CodeInternal, err.Error(), Body{})
	}
	return t.step(now, OutcomeConfirmed, memo{reply: reply})
}

// Reject says that the endpoint refused. It reports whether that settled the delivery. Code and message are cut to what
// a receipt carries.
func (t Ticket) Reject(code, message string) bool { return t.RejectWith(code, message, Body{}) }

// RejectWith is Reject with details for the publisher. Details that can't be sent are left out.
func (t Ticket) RejectWith(code, message string, details Body) bool {
	return t.reject(t.now(), code, message, details)
}

func (t Ticket) reject(now time.Duration, code, message string, details Body) bool {
	if t.record == nil {
		return false
	}
	if t.bus.checkBody(details) != nil {
		details = Body{}
	}
	code = cut(cmp.Or(code, CodeRejected), MaxName)
	return t.step(now, OutcomeRejected, memo{reply: details, code: code, message: cut(message, MaxHeaderBytes)})
}

// Close says that the socket closed before it acknowledged.
func (t Ticket) Close() { t.step(t.now(), OutcomeClosed, memo{}) }

// Drop says that the message was not written and why: the endpoint was not ready, or too slow.
func (t Ticket) Drop(code, message string) {
	t.step(t.now(), OutcomeDropped, memo{code: code, message: message})
}

// Expire says that the message's time ran out before it was written.
func (t Ticket) Expire() { t.step(t.now(), OutcomeExpired, memo{}) }

// begin says that a handler begins to handle the message, in a context that ends when the publisher gives up. It reports whether
// it may: what has expired a moment ago was told so.
func (t Ticket) begin(now time.Duration, ctx *lazy.Context) bool {
	if t.record == nil {
		return true
	}
	b := t.bus
	b.claimsMu.Lock()
	begun := b.claims.begin(now, t.record, t.index, ctx)
	fx := b.claims.take()
	b.claimsMu.Unlock()
	b.performClaims(fx)
	return begun
}

// now is the bus's time, or 0 where nobody waits.
func (t Ticket) now() time.Duration {
	if t.record == nil {
		return 0
	}
	return t.bus.now()
}

func (t Ticket) step(now time.Duration, o Outcome, m memo) bool {
	if t.record == nil {
		return false
	}
	b := t.bus
	b.claimsMu.Lock()
	counted := b.claims.step(now, t.record, t.index, o, m)
	fx := b.claims.take()
	b.claimsMu.Unlock()
	b.performClaims(fx)
	return counted
}

// cut shortens text to n bytes at most.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// Over reports whether the delivery has ended, whoever said so. One that nobody waits for is over.
func (t Ticket) Over() bool {
	if t.record == nil {
		return true
	}
	t.bus.claimsMu.Lock()
	defer t.bus.claimsMu.Unlock()
	return t.record.slots[t.index].settled
}
