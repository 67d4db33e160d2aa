package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/internal/lazy"
)

// ErrGivenUp is the cause of a handler's context that ended because the publisher's did.
var ErrGivenUp = errors.New("bus: the publisher gave up")

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
	starting bool // one of them has not begun yet
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
	start := q.startLocked()
	q.mu.Unlock()
	switch {
	case gone:
		t.Close()
	case refused:
		t.Reject(CodeOverloaded, fmt.Sprintf("the handler's queue of %d messages is full", q.size))
	case q.once != nil:
		q.once()
	}
	if start {
		q.start()
	}
}

// startLocked reports whether another goroutine is to be started. While messages wait and more may run, one is on its way, and
// sees to the next when it begins: so quick handlers get by with few, and slow ones have as many as they may.
func (q *queue) startLocked() bool {
	if q.starting || q.running >= q.concurrency || q.head == len(q.waiting) {
		return false
	}
	q.running++
	q.starting = true
	return true
}

func (q *queue) start() {
	if !q.bus.group.Go(q.work) {
		q.abandon()
	}
}

// Forget is nothing to a handler: its context has ended.
func (q *queue) Forget(uuid.UUID) {}

// work handles what is queued, and ends when nothing is.
func (q *queue) work() {
	ended := false
	defer func() {
		if ended {
			return
		}
		q.mu.Lock() // the handler called runtime.Goexit
		q.handling--
		q.mu.Unlock()
		q.start()
	}()
	var now time.Duration // since the answer before; 0: not known
	for began := false; ; began = true {
		next, start, ok := q.take(began)
		if start {
			q.start()
		}
		if !ok {
			ended = true
			return
		}
		now = q.handle(next, now)
	}
}

// take takes the next message for a goroutine that has begun before, and has handled one, or begins with it. It reports whether
// another goroutine is to be started, and whether there was a message.
func (q *queue) take(began bool) (next delivered, start, ok bool) {
	q.mu.Lock()
	if began {
		q.handling--
	} else {
		q.starting = false
	}
	waits := q.head < len(q.waiting)
	if !waits {
		q.running--
	}
	if !waits || q.bus.group.Context().Err() != nil {
		q.mu.Unlock()
		if waits {
			q.abandon()
		}
		return delivered{}, false, false
	}
	q.handling++
	next = q.nextLocked()
	start = q.startLocked()
	q.mu.Unlock()
	return next, start, true
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
	ctx := &lazy.Context{Parent: q.bus.group.Context(), Until: d.message.Deadline}
	defer ctx.Stop(context.Canceled)
	if !d.ticket.begin(now, ctx) {
		return now
	}
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
	q.starting = false
	q.mu.Unlock()
	for _, d := range waiting {
		d.ticket.Close()
	}
}
