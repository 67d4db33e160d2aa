package acceptance

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// How long a roamer waits before it connects again: at first, and at most.
const (
	leastWait = 500 * time.Millisecond
	mostWait  = 10 * time.Second
)

// Roamers are clients that come back when they are thrown off, after a while of which a part is chance, as docs/clients.md asks.
type roamers struct {
	t      *testing.T
	react  func(f frame) object // to each message
	pace   time.Duration        // that a client needs for a message
	tight  bool
	target atomic.Pointer[node] // where they connect next
	here   atomic.Int64         // those that are welcome at the moment
	fallen atomic.Int64         // connections that fell after the welcome
	life   *run.Group
}

func newRoamers(t *testing.T, at *node) *roamers {
	r := &roamers{t: t, react: confirm, life: run.New(context.Background())} // ends with the test
	r.target.Store(at)
	t.Cleanup(func() {
		r.life.Stop()
		r.life.Wait()
	})
	return r
}

// join lets one more client live.
func (r *roamers) join(user, over string) {
	r.life.Go(func() {
		for wait := leastWait; r.life.Context().Err() == nil; wait = min(2*wait, mostWait) {
			if r.session(user, over) {
				wait = leastWait
			}
			r.rest(wait + rand.N(wait/2))
		}
	})
}

func (r *roamers) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.life.Context().Done():
	}
}

func (r *roamers) dial(over string) (*wire, error) {
	d, n := net.Dialer{Timeout: patience}, r.target.Load()
	if r.tight {
		d.Control = smallBuffer
	}
	if over == overTCP {
		return dialTCP(&d, n.tcp)
	}
	return dialWebSocket(&d, n.ws, over)
}

// session is one connection, from the dial to its end. It reports whether the client was welcome.
func (r *roamers) session(user, over string) bool {
	w, err := r.dial(over)
	if err != nil {
		return false
	}
	var once sync.Once
	closing := func() { once.Do(func() { w.conn.Close() }) }
	defer closing()
	stop := context.AfterFunc(r.life.Context(), closing)
	defer stop()
	if err := errors.Join(w.greet(user), w.conn.SetReadDeadline(time.Time{})); err != nil {
		return false
	}
	r.here.Add(1)
	defer func() {
		r.fallen.Add(1)
		r.here.Add(-1)
	}()
	for {
		f, err := w.read()
		if err != nil {
			return true
		}
		if f.Type != "message" {
			continue
		}
		if r.pace > 0 {
			r.rest(r.pace)
		}
		if f.Ack && w.write(r.react(f)) != nil {
			return true
		}
	}
}
