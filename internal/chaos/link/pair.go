package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

const (
	chunkSize = 16 << 10
	// chunks is how many may be on their way in a direction: what is more waits in the sender's buffers.
	chunks     = 256
	slicePause = time.Millisecond
)

// A pair is one connection on both sides of the link.
type pair struct {
	link      *Link
	near, far net.Conn
	holed     atomic.Bool // bytes were swallowed
	once      sync.Once
	gone      chan struct{} // closed by reset
}

// A chunk is what was read at once, or why nothing more is.
type chunk struct {
	due   time.Time
	bytes []byte
	end   error
}

// carry moves bytes both ways, and returns when both directions have ended.
func (p *pair) carry() {
	ways := run.New(context.Background()) // they end with the connections
	for _, up := range []bool{true, false} {
		from, to := p.near, p.far
		if !up {
			from, to = p.far, p.near
		}
		queue := make(chan chunk, chunks)
		ways.Go(func() { p.read(from, queue, up) })
		ways.Go(func() { p.write(to, queue, up) })
	}
	ways.Stop()
	ways.Wait()
	_ = p.near.Close()
	_ = p.far.Close()
}

func (p *pair) reset() {
	p.once.Do(func() {
		close(p.gone)
		abort(p.near)
		abort(p.far)
	})
}

func (p *pair) read(from net.Conn, queue chan<- chunk, up bool) {
	defer close(queue)
	buffer := make([]byte, chunkSize)
	for {
		n, err := from.Read(buffer)
		shape, _ := p.link.shape(up)
		due := time.Now().Add(shape.Delay)
		if shape.Jitter > 0 {
			due = due.Add(rand.N(shape.Jitter))
		}
		select {
		case queue <- chunk{due, bytes.Clone(buffer[:n]), err}:
		case <-p.gone:
			return
		}
		if err != nil {
			return
		}
	}
}

// write passes on what is due. An end is passed on as what it was: an orderly end in one direction alone, anything else as a reset.
func (p *pair) write(to net.Conn, queue <-chan chunk, up bool) {
	for c := range queue {
		if !p.pass(to, c, up) {
			p.reset()
			return
		}
		if c.end == nil {
			continue
		}
		if tcp, ok := to.(*net.TCPConn); ok && errors.Is(c.end, io.EOF) {
			_ = tcp.CloseWrite() // if it is gone, the other direction tells
		} else {
			p.reset()
		}
		return
	}
}

// pass writes one chunk as the shapes of the moment have it, and reports whether the connection lives.
func (p *pair) pass(to net.Conn, c chunk, up bool) bool {
	for first := true; first || len(c.bytes) > 0; first = false {
		shape, ok := p.released(c.due, up)
		switch {
		case !ok:
			return false
		case shape.Swallow:
			p.holed.Store(p.holed.Load() || len(c.bytes) > 0)
			return true
		}
		n := len(c.bytes)
		if shape.Slice > 0 {
			n = min(n, shape.Slice)
		}
		if _, err := to.Write(c.bytes[:n]); err != nil {
			return false
		}
		if c.bytes = c.bytes[n:]; shape.Slice > 0 {
			c.due = time.Now().Add(slicePause)
		}
	}
	return true
}

// released waits while the direction is held, and for what is due as long as the direction delays.
func (p *pair) released(due time.Time, up bool) (Shape, bool) {
	for {
		shape, changed := p.link.shape(up)
		wait := time.Until(due)
		if shape.Hold {
			wait = time.Hour // a change ends it
		}
		if wait <= 0 || !shape.Hold && shape.Delay == 0 && shape.Slice == 0 {
			return shape, p.alive()
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-p.gone:
		}
		timer.Stop()
		if !p.alive() {
			return Shape{}, false
		}
	}
}

func (p *pair) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}
