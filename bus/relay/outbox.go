package relay

import (
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
)

// An outbox collects what many goroutines publish and sends it over one connection, one pipeline at a time: what
// comes while one is in flight goes with the next. It waits no time for more to come: what finds the connection free is written by the
// caller, once the goroutines have run that are ready to, and what has collected by the reader of the replies, as soon as the last
// one has come.
type outbox struct {
	dialer  *dialer
	log     *slog.Logger
	meters  *meters
	now     func() int64
	beacons func(channel string) []string

	maxBytes, maxPackets int

	receiver Receiver   // set before run
	group    *run.Group // of run
	closed   chan struct{}

	mu        sync.Mutex
	queue     []*batch // oldest first; the last one is being collected
	spare     []*batch
	most      int // bytes of a pipeline: fewer where the way is narrow, so that it is back soon
	errands   []*errand
	bytes     int // payloads queued, in flight, and room promised to callers that waited for it
	packets   int
	line      list.List // of *applicant: callers that wait for room, in order
	state     linkState
	link      *link         // while it stands
	busy      bool          // a pipeline is in flight
	gathering bool          // somebody is about to start one
	used      int64         // when the last one had come back
	suspected error         // the connection is to be replaced
	ghosts    []identity    // former connections that may still carry something
	quiet     chan struct{} // closed when nothing is queued or in flight on the connection; nil while nobody waits
	ended     bool

	flight  flight   // while busy: of its writer until that has ended, then of run
	results []Result // of run alone, used again for each pipeline
}

// A linkState says what a packet without patience may hope for.
type linkState int

const (
	linkNone linkState = iota
	linkDialing
	linkUp
)

func newOutbox(d *dialer, opts *Options, m *meters, now func() int64, beacons func(string) []string) *outbox {
	return &outbox{
		dialer: d, log: opts.Logger, meters: m, now: now, beacons: beacons,
		maxBytes: opts.OutboxBytes, maxPackets: opts.OutboxPackets,
		closed: make(chan struct{}), state: linkDialing, most: pipelineBytes,
	}
}

// publish copies the packet into the batch that is being collected.
func (o *outbox) publish(ctx context.Context, p *Packet) error {
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return ErrClosed
	}
	if o.line.Len() > 0 || !o.hasRoomLocked(len(p.Payload)) {
		if !p.Wait {
			o.mu.Unlock()
			return ErrFull
		}
		if err := o.awaitRoomLocked(ctx, len(p.Payload)); err != nil {
			return err
		}
		o.mu.Lock()
		if o.ended {
			o.mu.Unlock()
			return ErrClosed
		}
	} else {
		o.bytes += len(p.Payload)
		o.packets++
	}
	o.addLocked(p)
	if o.gathering { // it leaves with the packet of who gathers
		o.mu.Unlock()
		return nil
	}
	o.gatherLocked()
	l := o.startLocked()
	o.mu.Unlock()
	switch {
	case l == nil:
	case o.flight.batch.bytes <= directBytes:
		o.write(l)
	default:
		o.writeAside(l)
	}
	return nil
}

// gatherLocked lets the goroutines run that are ready to, before the first packet of a pipeline leaves: answers wake many callers
// at once, and the next packet of one need not go alone ahead of those of the others.
func (o *outbox) gatherLocked() {
	if o.busy || o.state != linkUp {
		return
	}
	o.gathering = true
	o.mu.Unlock()
	runtime.Gosched()
	o.mu.Lock()
	o.gathering = false
}

func (o *outbox) addLocked(p *Packet) {
	b := o.lastLocked()
	if b == nil || !b.fits(p, o.most) {
		b = o.freshLocked()
		b.born = o.now()
		o.queue = append(o.queue, b)
	}
	// While a connection stands batches are short-lived, and the clock is read once for each.
	at := b.born
	if o.state != linkUp {
		at = o.now()
	}
	deadline := int64(0)
	if p.Patience > 0 {
		deadline = at + int64(p.Patience)
	}
	b.add(p, deadline, o.beacons)
}

func (o *outbox) lastLocked() *batch {
	if len(o.queue) == 0 {
		return nil
	}
	return o.queue[len(o.queue)-1]
}

func (o *outbox) freshLocked() *batch {
	if n := len(o.spare); n > 0 {
		b := o.spare[n-1]
		o.spare = o.spare[:n-1]
		return b
	}
	return newBatch()
}

// expire reports the packets whose patience has ended, while there is no connection.
func (o *outbox) expire(cause error) {
	o.mu.Lock()
	now, dialing := o.now(), o.state == linkDialing
	expired := func(t *ticket) bool {
		if t.deadline == 0 {
			return !dialing
		}
		return now >= t.deadline
	}
	o.results = o.dropLocked(expired, fmt.Errorf("%w: %w", ErrNotSent, cause), o.results[:0])
	results := o.results
	o.mu.Unlock()
	o.deliver(results)
}

// expireTaken reports the packets of a batch that is about to be sent whose patience has ended behind others, or because
// the process stood still: what they say about time would be wrong by now.
func (o *outbox) expireTaken(b *batch) {
	if b == nil {
		return
	}
	now := o.now()
	if now-b.born < int64(patienceTick) {
		return
	}
	results := o.results[:0]
	packets, bytes := b.drop(overdue(now), behind(o.load()), &results)
	o.results = results
	o.mu.Lock()
	o.releaseLocked(packets, bytes)
	o.mu.Unlock()
	o.deliver(results)
}

// expireQueued reports the packets whose patience has ended behind a pipeline that takes long.
func (o *outbox) expireQueued(now int64) {
	o.mu.Lock()
	var results []Result
	if o.state == linkUp && len(o.queue) > 0 && now-o.queue[0].born >= int64(patienceTick) {
		results = o.dropLocked(overdue(now), behind(o.bytes), nil)
	}
	o.mu.Unlock()
	o.deliver(results)
}

// overdue reports of a packet whether its patience has ended.
func overdue(now int64) func(t *ticket) bool {
	return func(t *ticket) bool { return t.deadline != 0 && now >= t.deadline }
}

// behind is what becomes of a packet that has waited too long in an outbox of so many bytes.
func behind(bytes int) error {
	return fmt.Errorf("%w: it waited too long behind others, %d bytes", ErrNotSent, bytes)
}

// dropLocked takes packets out of the queue, and batches that are left empty, and returns the results that were asked for.
func (o *outbox) dropLocked(which func(t *ticket) bool, cause error, results []Result) []Result {
	o.queue = slices.DeleteFunc(o.queue, func(b *batch) bool {
		packets, bytes := b.drop(which, cause, &results)
		o.releaseLocked(packets, bytes)
		if b.packets > 0 {
			return false
		}
		o.spareLocked(b)
		return true
	})
	return results
}

// spareLocked keeps the memory of a batch for the next ones.
func (o *outbox) spareLocked(b *batch) {
	b.reset()
	if len(o.spare) < spareBatches {
		o.spare = append(o.spare, b)
	}
}

func (o *outbox) deliver(results []Result) {
	if len(results) > 0 {
		o.receiver.Published(results)
	}
}

// suspect has the connection replaced once the pipeline in flight has ended.
func (o *outbox) suspect(reason error) { o.replace(reason, func(*link) bool { return true }) }

func (o *outbox) replace(reason error, which func(l *link) bool) {
	o.mu.Lock()
	l := o.link
	if l == nil || o.suspected != nil || !which(l) {
		o.mu.Unlock()
		return
	}
	o.suspected = reason
	busy := o.busy
	o.mu.Unlock()
	if !busy {
		l.fail(reason)
	}
}

func (o *outbox) quietLocked() {
	if o.quiet != nil {
		close(o.quiet)
		o.quiet = nil
	}
}

// flush returns once nothing was queued or in flight for a lull, when there is no connection, or when ctx ends.
func (o *outbox) flush(ctx context.Context, lull time.Duration) {
	began := o.now()
	for {
		o.mu.Lock()
		quiet, since := o.quiet, o.now()-max(began, o.used)
		if o.busy && quiet == nil {
			quiet = make(chan struct{})
			o.quiet = quiet
		}
		busy, gone := o.busy, o.link == nil
		o.mu.Unlock()
		switch {
		case gone || !busy && since >= int64(lull):
			return
		case !busy:
			if !pause.For(ctx, lull-time.Duration(since)) {
				return
			}
			continue
		}
		select {
		case <-quiet:
		case <-ctx.Done():
			return
		}
	}
}

// close refuses what comes from now on; run reports what is still queued.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.ended = true
		close(o.closed)
	}
}

// abandon reports everything that was not sent. It is called once nothing runs any more.
func (o *outbox) abandon() {
	o.mu.Lock()
	results := o.dropLocked(func(*ticket) bool { return true }, fmt.Errorf("%w: %w", ErrNotSent, ErrClosed), nil)
	errands := o.errands
	o.errands, o.queue = nil, nil
	o.mu.Unlock()
	for _, e := range errands {
		e.report(ErrClosed)
	}
	if o.receiver != nil {
		o.deliver(results)
	}
}

// load is how many payload bytes are queued or in flight.
func (o *outbox) load() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// timeSince is the relay's clock: monotonic nanoseconds since it was opened, never 0.
func timeSince(start time.Time) int64 { return int64(time.Since(start)) + 1 }
