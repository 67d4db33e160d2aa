package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
)

const (
	outboxLeastBackoff = 10 * time.Millisecond
	outboxMostBackoff  = 250 * time.Millisecond
	// patienceTick is how exactly patience is kept while there is no connection.
	patienceTick = 10 * time.Millisecond
	// pipelineTime is how long a pipeline should take at most.
	pipelineTime = 100 * time.Millisecond
	// idleCheck is how long a connection was idle before it is looked at before a write.
	idleCheck = int64(time.Millisecond)
	// directBytes is the largest pipeline that a caller writes by itself: the send buffer of an idle connection takes it.
	directBytes = 16 << 10
	// spareBatches are kept for the next pipelines.
	spareBatches = 2
)

var (
	errHungUp     = errors.New("relay: Redis closed the connection")
	errTimeout    = errors.New("relay: Redis did not answer in time")
	errUnasked    = errors.New("relay: Redis sent what nobody had asked for")
	errNoPipeline = errors.New("relay: no connection to Redis")
)

// run keeps a connection and reads its replies until ctx ends.
func (o *outbox) run(ctx context.Context, group *run.Group) {
	o.group = group
	for first := true; ; first = false {
		l := o.connect(ctx, group)
		if l == nil {
			return
		}
		if !first {
			o.meters.reconnects.Inc()
		}
		stop := context.AfterFunc(ctx, func() { l.fail(ErrClosed) }) // ends a pipeline in flight
		reason := o.pump(l)
		stop()
		if ctx.Err() != nil {
			return
		}
		o.log.Warn("outbox lost its connection to Redis", "error", reason)
	}
}

// connect dials until a connection stands, and meanwhile reports what has waited long enough. It returns nil when
// ctx has ended.
func (o *outbox) connect(ctx context.Context, group *run.Group) *link {
	for try := 1; ; try++ {
		l, err := o.dialOnce(ctx, group)
		if ctx.Err() != nil {
			if l != nil {
				l.close()
			}
			return nil
		}
		if err == nil {
			return l
		}
		o.log.Debug("outbox can't reach Redis", "error", err)
		o.setState(linkNone)
		for until := o.now() + int64(pause.Before(try, outboxLeastBackoff, outboxMostBackoff)); o.now() < until; {
			o.expire(err)
			if !pause.For(ctx, min(patienceTick, time.Duration(until-o.now()))) {
				return nil
			}
		}
	}
}

// dialOnce opens a connection. Dialing may take seconds, in which patience still ends.
func (o *outbox) dialOnce(ctx context.Context, group *run.Group) (*link, error) {
	type dialed struct {
		link *link
		err  error
	}
	o.setState(linkDialing)
	result := make(chan dialed, 1)
	if !group.Go(func() {
		l, err := o.dialer.open(ctx)
		if err == nil {
			if err = l.greet(ctx, o.dialer.timeout); err != nil {
				l.close()
			}
		}
		result <- dialed{l, err}
	}) {
		return nil, ErrClosed
	}
	tick := time.NewTicker(patienceTick)
	defer tick.Stop()
	for {
		select {
		case d := <-result: // comes soon after ctx has ended as well
			return d.link, d.err
		case <-tick.C:
			o.expire(errNoPipeline)
		}
	}
}

func (o *outbox) setState(s linkState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state = s
}

// A flight is a pipeline on its way to Redis and back.
type flight struct {
	batch   *batch
	errands []*errand
	began   int64 // on the relay's clock
	late    bool  // the connection was idle before it
}

// pump sees pipelines through on the connection until it fails or is suspected, and returns why.
func (o *outbox) pump(l *link) error {
	o.mu.Lock()
	o.state, o.link, o.suspected = linkUp, l, nil
	o.busy, o.flight = true, flight{began: o.now()} // nobody starts a pipeline before next does
	o.exorciseLocked()
	o.mu.Unlock()
	for {
		err := o.next(l)
		if err == nil {
			err = o.collect(l)
		}
		if err != nil {
			return o.fall(l, err)
		}
	}
}

// startLocked puts what is queued in flight if the connection is free. Whoever started it writes it to the link
// that is returned; nil: there is nothing to write.
func (o *outbox) startLocked() *link {
	if o.busy || o.state != linkUp || o.suspected != nil || len(o.queue)+len(o.errands) == 0 {
		return nil
	}
	o.busy = true
	f := &o.flight
	f.began = o.now()
	f.late = f.began-o.used > idleCheck
	f.errands, o.errands = o.errands, nil
	if len(o.queue) > 0 {
		f.batch = o.queue[0]
		o.queue = o.queue[:copy(o.queue, o.queue[1:])]
	}
	o.link.writing.Lock() // it is free
	o.link.before = o.link.wire.written.Load()
	return o.link
}

// write writes the pipeline that was started. It does not wait for Redis, unless for room in the connection's buffers.
func (o *outbox) write(l *link) {
	defer l.writing.Unlock()
	f := &o.flight // stays as it is until writing is free
	if f.late && l.wire.hungUp() {
		l.fail(errHungUp)
		return
	}
	for _, e := range f.errands {
		writeCommand(l.out, e.args...)
	}
	if f.batch != nil {
		f.batch.writeTo(l.out)
	}
	if err := l.out.Flush(); err != nil {
		l.fail(err)
	}
}

// writeAside writes what was started from another goroutine.
func (o *outbox) writeAside(l *link) {
	if !o.group.Go(func() { o.write(l) }) {
		l.writing.Unlock() // the end of the group fails the link
	}
}

// next puts the next pipeline in flight, if there is something to send, or returns why the connection is not to be used
// any more. The one before has ended.
func (o *outbox) next(l *link) error {
	for {
		o.mu.Lock()
		o.busy, o.used = false, o.now()
		suspected, started := o.suspected, o.startLocked()
		if started == nil {
			o.quietLocked()
		}
		o.mu.Unlock()
		if started == nil {
			return suspected
		}
		f := &o.flight
		if o.expireTaken(f.batch); len(f.errands) > 0 || f.batch.packets > 0 {
			o.write(l)
			return nil
		}
		l.writing.Unlock()
		o.recycle(f.batch)
		f.batch = nil
	}
}

// collect waits for the replies to a pipeline, whoever wrote it, reads them, and reports what became of it. An error means
// that the connection must not be used again.
func (o *outbox) collect(l *link) error {
	if _, err := l.in.Peek(1); err != nil {
		return err
	}
	o.mu.Lock()
	f, busy := o.flight, o.busy
	o.mu.Unlock()
	if !busy {
		return errUnasked
	}
	absence, err := f.readFrom(l.in)
	if err != nil {
		return err
	}
	l.writing.Lock() // the writer may not have returned yet
	o.mu.Lock()
	o.flight = flight{began: f.began}
	o.paceLocked(&f)
	o.mu.Unlock()
	l.writing.Unlock()
	o.report(&f, nil)
	return absence
}

// paceLocked makes the next pipelines as large as comes back within pipelineTime.
func (o *outbox) paceLocked(f *flight) {
	switch took := o.now() - f.began; {
	case f.batch == nil:
	case took > int64(pipelineTime) && f.batch.bytes > o.most/2:
		o.most = max(o.most/2, pipelineLeast)
	case took < int64(pipelineTime)/2:
		o.most = min(o.most*2, pipelineBytes)
	}
}

// readFrom reads the replies. absence is an error reply that says that this server can't serve now.
func (f *flight) readFrom(in *replyReader) (absence, err error) {
	for _, e := range f.errands {
		if e.answer, err = in.next(); err != nil {
			return nil, err
		}
		e.replied = true
		if err := e.answer.err(); isAbsence(err) {
			absence = err
		}
	}
	if f.batch == nil {
		return absence, nil
	}
	refused, err := f.batch.readFrom(in)
	return errOr(absence, refused), err
}

// fall ends the connection and reports what was in flight, or puts it back if nothing of it was written.
func (o *outbox) fall(l *link, err error) error {
	o.setState(linkDialing) // nothing is started any more
	l.fail(err)
	l.writing.Lock()
	unsent := l.wire.written.Load() == l.before
	l.writing.Unlock()
	o.mu.Lock()
	f := o.flight
	o.flight, o.busy, o.link = flight{}, false, nil
	o.ghosts = haunted(o.ghosts, l.identity)
	o.quietLocked()
	if unsent {
		if f.batch != nil {
			o.queue = append([]*batch{f.batch}, o.queue...)
		}
		o.errands = append(f.errands, o.errands...)
		f = flight{}
	}
	o.mu.Unlock()
	reason := *l.failure.Load()
	o.report(&f, fmt.Errorf("%w: %w", ErrLost, reason))
	return reason
}

// report tells what became of a pipeline. transport is the error of what was not answered.
func (o *outbox) report(f *flight, transport error) {
	if b := f.batch; b != nil {
		o.results = b.appendResults(o.results[:0], transport)
		o.deliver(o.results)
		o.recycle(b)
	}
	for _, e := range f.errands {
		e.report(transport)
	}
}

// tick fails a connection on which Redis does not answer in time.
func (o *outbox) tick(now int64) {
	o.mu.Lock()
	l := o.link
	overdue := o.busy && now-o.flight.began > int64(o.dialer.timeout)
	o.mu.Unlock()
	if overdue && l != nil {
		l.fail(errTimeout)
	}
	o.expireQueued(now)
}

// recycle gives the batch's room back, and keeps its memory for the next ones.
func (o *outbox) recycle(b *batch) {
	packets, bytes := b.packets, b.payload
	b.reset() // not under the lock: it may be a thousand commands
	o.mu.Lock()
	defer o.mu.Unlock()
	o.releaseLocked(packets, bytes)
	o.spareLocked(b)
}
