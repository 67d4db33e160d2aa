package gateway

import (
	"fmt"

	"github.com/ackbus/ackbus/bus"
)

// dropCode is the code of a delivery that was not written.
const dropCode = "dropped"

// A verdict is what a session says to a message.
type verdict uint8

const (
	taken verdict = iota
	notReady
	full
	gone
)

// Deliver implements bus.Endpoint: it appends to the send queue and never blocks.
func (s *session) Deliver(m *bus.Message, t bus.Ticket) {
	sealed := sealMessage(m, s.format)
	if len(sealed) == 0 {
		t.Reject("bad_body", "the body can't be translated for the carrier of this socket")
		return
	}
	it := item{frame: s.carrier.frame(sealed), deadline: m.Deadline, message: true}
	if t.Awaited() {
		it.wait = &awaited{ticket: t, id: m.ID}
	}
	said, waiting := s.admit(m, it)
	switch said {
	case taken:
		s.gw.budget.take(len(it.frame))
	case notReady:
		t.Drop(dropCode, fmt.Sprintf("volatile, and %d messages were waiting", waiting))
	case full:
		s.shut(endTooSlow)
		t.Drop(dropCode, fmt.Sprintf("the client was too slow: %d messages were waiting", waiting))
	case gone:
		t.Close()
	}
}

// admit queues the item or says why not, and how many were waiting.
func (s *session) admit(m *bus.Message, it item) (said verdict, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	opts := &s.gw.opts
	waiting = s.queue.count
	room := s.queue.has(len(it.frame), opts.QueueMessages, opts.QueueBytes)
	over := s.gw.budget.over()
	switch {
	case s.phase >= closing:
		return gone, waiting
	case m.Volatile && (s.phase != open || waiting > opts.VolatileQueue || !room || over):
		return notReady, waiting
	case !room || waiting > 0 && s.gw.budget.spent():
		return full, waiting
	}
	if it.wait != nil && m.Ack {
		s.expectLocked(it.wait)
	}
	if s.phase == greeting {
		s.early = append(s.early, it)
		s.queue.keep(it)
		return taken, waiting
	}
	s.queue.push(it)
	s.writeLocked()
	return taken, waiting
}

// say queues a frame of the session itself. A client that lets those pile up is too slow as well.
func (s *session) say(sealed []byte) {
	s.sayFrame(s.carrier.frame(sealed))
}

func (s *session) sayFrame(frame []byte) {
	s.mu.Lock()
	fits := s.queue.has(len(frame), s.gw.opts.QueueMessages, s.gw.opts.QueueBytes)
	switch {
	case s.phase >= closing:
		s.mu.Unlock()
	case !fits:
		s.mu.Unlock()
		s.shut(endTooSlow)
	default:
		s.pushLocked(item{frame: frame})
		s.writeLocked()
		s.mu.Unlock()
	}
}

// fail answers with an error frame.
func (s *session) fail(ref []byte, code, message string) {
	s.say(sealError(s.format, ref, code, message))
}

// pushLocked queues a frame of the session itself, however full the queue is.
func (s *session) pushLocked(it item) {
	s.queue.push(it)
	s.gw.budget.take(len(it.frame))
}
