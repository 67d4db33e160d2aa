package gateway

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/ackbus/ackbus/bus"
)

const (
	// batchBytes is how much one write takes at most, a larger frame alone aside. Deadlines are checked before each
	// write, and a stuck writer holds one buffer of this size.
	batchBytes = 16 << 10
	// lateWrite is how long after the deadline of a message a write of it may still block.
	lateWrite = 2 * time.Second
)

// A batch is what one write takes.
type batch struct {
	items   []item
	expired []item
	bytes   int
	buffer  []byte // where several frames become one
}

var batches = sync.Pool{New: func() any { return new(batch) }}

func (b *batch) reset() {
	clear(b.items)
	clear(b.expired)
	b.items, b.expired, b.bytes = b.items[:0], b.expired[:0], 0
}

// payload is all frames one after another: one system call, and on TLS one record.
func (b *batch) payload() []byte {
	if len(b.items) == 1 {
		return b.items[0].frame
	}
	if b.buffer == nil {
		b.buffer = make([]byte, 0, batchBytes)
	}
	b.buffer = b.buffer[:0]
	for _, it := range b.items {
		b.buffer = append(b.buffer, it.frame...)
	}
	return b.buffer
}

// deadline is until when the write may block.
func (b *batch) deadline(now time.Time, timeout time.Duration) time.Time {
	until := now.Add(timeout)
	for _, it := range b.items {
		if late := it.deadline.Add(lateWrite); !it.deadline.IsZero() && late.Before(until) {
			until = late
		}
	}
	return until
}

// writeLocked sees to it that a writer runs.
func (s *session) writeLocked() {
	if s.writing || s.broken || s.queue.waiting() == 0 {
		return
	}
	s.writing = s.gw.group.Go(s.write)
}

// write is the writer: it lives while the queue is not empty, or until a write fails.
func (s *session) write() {
	b := batches.Get().(*batch)
	for s.takeBatch(b) {
		s.expire(b.expired)
		if len(b.items) > 0 {
			s.writeBatch(b)
		}
	}
	b.reset()
	batches.Put(b)
	s.leaveIfIdle()
}

// writerOffLocked lets go of the writer, and of whoever waits for its end.
func (s *session) writerOffLocked() {
	s.writing = false
	if s.writerGone != nil {
		close(s.writerGone)
		s.writerGone = nil
	}
}

// waitWriter returns once no writer runs. The connection is closed by then, so that none can be stuck.
func (s *session) waitWriter() {
	s.mu.Lock()
	s.broken = true
	var gone chan struct{}
	if s.writing {
		gone = make(chan struct{})
		s.writerGone = gone
	}
	s.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

// takeBatch fills the batch with what may still be written. It reports false, and the writer is off, when there is nothing,
// or when the connection takes no more.
func (s *session) takeBatch(b *batch) bool {
	b.reset()
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.broken && s.queue.waiting() > 0 {
		it := &s.queue.items[s.queue.next]
		if len(b.items) > 0 && b.bytes+len(it.frame) > batchBytes {
			break
		}
		b.add(s.queue.pop(), now)
	}
	for _, it := range b.items {
		if it.wait != nil {
			it.wait.stage = stageWriting
		}
	}
	for _, it := range b.expired {
		s.queue.written(1)
		if it.wait != nil {
			s.forgetLocked(it.wait)
		}
	}
	if len(b.items)+len(b.expired) > 0 {
		return true
	}
	s.writerOffLocked()
	return false
}

func (b *batch) add(it item, now time.Time) {
	late := !it.deadline.IsZero() && !now.Before(it.deadline)
	if late || it.wait != nil && !it.wait.ticket.Writing() {
		b.expired = append(b.expired, it)
		return
	}
	b.items = append(b.items, it)
	b.bytes += len(it.frame)
}

// writeBatch writes and settles.
func (s *session) writeBatch(b *batch) {
	n := 0
	err := s.conn.SetWriteDeadline(b.deadline(time.Now(), s.gw.opts.WriteTimeout))
	if err == nil {
		n, err = s.conn.Write(b.payload())
	}
	if err != nil {
		s.writeFailed(b, n, err)
		return
	}
	s.wrote(b.items)
	if b.items[len(b.items)-1].last {
		s.endWriting()
	}
}

func (s *session) expire(items []item) {
	bytes := 0
	for _, it := range items {
		bytes += len(it.frame)
		if it.wait != nil {
			it.wait.ticket.Expire()
		}
	}
	s.gw.budget.give(bytes)
}

// wrote settles items that were handed to the kernel.
func (s *session) wrote(items []item) {
	now := time.Now()
	bytes := 0
	s.mu.Lock()
	for _, it := range items {
		bytes += len(it.frame)
		if it.wait != nil {
			it.wait.stage, it.wait.written = stageWritten, now
		}
	}
	s.queue.written(len(items))
	s.mu.Unlock()
	s.gw.budget.give(bytes)
	for _, it := range items {
		if it.wait != nil {
			it.wait.ticket.Written()
		}
	}
}

// writeFailed settles a batch of which only the first n bytes were handed over, and ends the session.
func (s *session) writeFailed(b *batch, n int, err error) {
	whole := 0
	for _, it := range b.items {
		if n -= len(it.frame); n < 0 {
			break
		}
		whole++
	}
	s.wrote(b.items[:whole])
	rest := b.items[whole:]
	s.mu.Lock()
	s.broken = true
	for _, it := range rest {
		if it.wait != nil {
			s.forgetLocked(it.wait)
		}
	}
	s.queue.written(len(rest))
	s.mu.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.shut(endStuck)
	} else {
		s.shut(endBroken)
	}
	s.release(rest)
}

// endWriting tells a TCP peer that nothing more comes; a WebSocket's close frame has said so.
func (s *session) endWriting() {
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && s.kind == bus.CarrierTCP {
		_ = half.CloseWrite() // it fails only where the connection is gone
	}
}
