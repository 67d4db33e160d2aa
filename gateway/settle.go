package gateway

import (
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// A stage is how far an awaited delivery has come.
type stage uint8

const (
	stageQueued  stage = iota // an acknowledgement now would be a guess
	stageWriting              // in a write that has not returned
	stageWritten
)

// An awaited is one delivery that a publisher waits for. The session's mutex guards stage and written.
type awaited struct {
	ticket  bus.Ticket
	id      uuid.UUID
	stage   stage
	written time.Time
}

// Forget implements bus.Endpoint. A later delivery of the same message is still awaited.
func (s *session) Forget(id uuid.UUID) {
	s.mu.Lock()
	if w := s.awaiting[id]; w != nil && w.ticket.Over() {
		delete(s.awaiting, id)
	}
	s.mu.Unlock()
	s.leaveIfIdle()
}

// ack settles a delivery that the client acknowledged or refused. What is not awaited, or was not written to this
// socket, is counted and ignored.
func (s *session) ack(f *frame) {
	w, before := s.takeAwaited(f.ID)
	if w == nil {
		s.gw.metrics.unknownAcks.Inc()
		return
	}
	took := time.Duration(0) // the client was faster than the return of the write
	if before == stageWritten {
		took = time.Since(w.written)
	}
	if w.answer(f) {
		s.gw.metrics.ackSeconds.Observe(took.Seconds())
	} else {
		s.gw.metrics.unknownAcks.Inc()
	}
	s.leaveIfIdle()
}

// answer hands the client's answer to the publisher. It reports whether that settled the delivery.
func (w *awaited) answer(f *frame) bool {
	if f.Type == "ack" {
		return w.ticket.Confirm(f.Body)
	}
	code := clipTo(f.Code, maxCode)
	if code == "" {
		code = bus.CodeRejected
	}
	message := clipTo(f.Message, maxReason)
	if message == "" {
		message = "the client refused it without a message"
	}
	w.ticket.Written() // the writer may not have said so yet
	return w.ticket.Reject(code, message)
}

// takeAwaited removes a delivery that was written, at least in part, and says how far it had come.
func (s *session) takeAwaited(text string) (*awaited, stage) {
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.awaiting[id]
	if w == nil || w.stage == stageQueued {
		return nil, 0
	}
	delete(s.awaiting, id)
	return w, w.stage
}

// expectLocked remembers a delivery whose acknowledgement may come.
func (s *session) expectLocked(w *awaited) {
	if s.awaiting == nil {
		s.awaiting = make(map[uuid.UUID]*awaited)
	}
	s.awaiting[w.id] = w
}

// forgetLocked removes exactly this delivery, not a later one of the same message.
func (s *session) forgetLocked(w *awaited) {
	if s.awaiting[w.id] == w {
		delete(s.awaiting, w.id)
	}
}
