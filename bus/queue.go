package bus

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// queue is the endpoint of a Go handler: one bounded queue, and goroutines only while it is not empty.
type queue struct {
	bus         *Bus
	handler     Handler
	size        int
	concurrency int
	once        func() // leaves after the first message; nil: stays

	mu       sync.Mutex
	waiting  []delivered
	head     int  // of waiting: what was taken lies before it
	running  int  // goroutines
	handling int  // messages that they handle right now
	gone     bool // once, and the message has come
}

type delivered struct {
	message *Message
	ticket  Ticket
}

// late reports whether the message's time is over.
func (d delivered) late(now time.Time) bool {
	return !d.message.Deadline.IsZero() && !d.message.Deadline.After(now)
}

// Deliver queues the message. What does not fit is rejected as overloaded.
func (q *queue) Deliver(m *Message, t Ticket) {
	q.mu.Lock()
	refused, gone := len(q.waiting)-q.head+q.handling >= q.size+q.concurrency, q.gone
	if !refused && !gone {
		q.gone = q.once != nil
		q.waiting = append(q.waiting, delivered{m, t})
	}
	start := !refused && !gone && q.running < q.concurrency
	if start {
		q.running++
	}
	q.mu.Unlock()
	switch {
	case gone:
		t.Close()
	case refused:
		t.Reject(CodeOverloaded, fmt.Sprintf("the handler's queue of %d messages is full", q.size))
	case q.once != nil:
		q.once()
	}
	if start && !q.bus.group.Go(q.work) {
		q.abandon()
	}
}

// Forget is nothing to a handler: its context has ended.
func (q *queue) Forget(uuid.UUID) {}

// work handles what is queued, and ends when nothing is.
func (q *queue) work() {
	ended, handled := false, 0
	var now time.Duration // since the answer before; 0: not known
	defer func() {
		if ended {
			return
		}
		q.mu.Lock() // the handler called runtime.Goexit
		q.handling -= handled
		q.mu.Unlock()
		if !q.bus.group.Go(q.work) {
			q.abandon()
		}
	}()
	for {
		q.mu.Lock()
		q.handling -= handled
		handled = 0
		if q.head < len(q.waiting) && q.bus.group.Context().Err() != nil {
			q.mu.Unlock()
			q.abandon()
			ended = true
			return
		}
		if q.head == len(q.waiting) {
			q.running--
			q.mu.Unlock()
			ended = true
			return
		}
		q.handling++
		handled = 1
		next := q.nextLocked()
		q.mu.Unlock()
		now = q.handle(next, now)
	}
}

// nextLocked takes the first that waits.
func (q *queue) nextLocked() delivered {
	next := q.waiting[q.head]
	q.waiting[q.head] = delivered{}
	q.head++
	switch {
	case q.head < len(q.waiting):
		if q.head >= queueSlack && 2*q.head >= len(q.waiting) {
			q.waiting, q.head = slices.Delete(q.waiting, 0, q.head), 0
		}
	case cap(q.waiting) <= 16*queueSlack:
		q.waiting, q.head = q.waiting[:0], 0
	default:
		q.waiting, q.head = nil, 0
	}
	return next
}

// queueSlack is how many taken messages may lie before those that wait.
const queueSlack = 64

// handle calls the handler and tells what it says. It takes and returns what time it is, as far as that is known: reading the clock
// costs as much as the rest.
func (q *queue) handle(d delivered, now time.Duration) time.Duration {
	if now == 0 {
		now = q.bus.now()
	}
	if d.late(q.bus.epoch.Add(now)) {
		d.ticket.Expire()
		return 0
	}
	ctx := &handling{bus: q.bus.group.Context(), deadline: d.message.Deadline}
	defer ctx.end()
	d.ticket.begin(now, ctx)
	returned := false
	defer func() {
		if !returned { // it called runtime.Goexit
			d.ticket.Reject(CodeInternal, "the handler ended without an answer")
		}
	}()
	reply, err := q.call(ctx, d.message)
	returned = true
	now = q.bus.now()
	switch {
	case err == nil:
		d.ticket.confirm(now, reply)
	case !d.late(q.bus.epoch.Add(now)):
		r := rejectionOf(err)
		d.ticket.reject(now, r.Code, r.Message, reply)
	default: // it waited for its context: the deadline itself says what became of the message
	}
	return now
}

// call turns a panic into a rejection: no panic of a handler takes the node down.
func (q *queue) call(ctx context.Context, m *Message) (reply Body, err error) {
	defer func() {
		if v := recover(); v != nil {
			q.bus.log.Error("handler panicked", slog.String("to", m.To.String()), slog.String("event", m.Event),
				slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			err = Reject(CodeInternal, "the handler panicked")
		}
	}()
	return q.handler(ctx, m)
}

// abandon closes what is queued: the bus has stopped.
func (q *queue) abandon() {
	q.mu.Lock()
	waiting := q.waiting[q.head:]
	q.waiting, q.head = nil, 0
	q.running--
	q.mu.Unlock()
	for _, d := range waiting {
		d.ticket.Close()
	}
}
