package gateway

import (
	"net"
	"runtime"
	"sync"
	"time"
)

// acceptRate is how many connections a second are accepted for each processor. Accepting one and reading what it wants takes some 50 µs:
// thousands at once would keep everybody else waiting for a processor until the last of them was looked at.
const acceptRate = 2000

// A pace is a number of turns a second, of which some that nobody took may be made up for.
type pace struct {
	every  time.Duration // between two turns; 0: it is always somebody's turn
	credit time.Duration // what turns that nobody took are worth at most

	mu   sync.Mutex
	next time.Time // when the next turn is
}

func newPace(rate float64, burst int) pace {
	every := max(time.Duration(float64(time.Second)/rate), 1)
	return pace{every: every, credit: time.Duration(min(float64(burst-1)*float64(every), off))}
}

// turn takes the next turn and says how long it is until then. It reports false, and takes none, where that is more than most.
func (p *pace) turn(now time.Time, most time.Duration) (wait time.Duration, ok bool) {
	if p.every == 0 {
		return 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.next
	if least := now.Add(-p.credit); at.Before(least) {
		at = least
	}
	if wait = max(at.Sub(now), 0); wait > most {
		return 0, false
	}
	p.next = at.Add(p.every)
	return wait, true
}

// Listen returns a listener that accepts from l at a pace which leaves the processors to others: 2,000 connections a second for each,
// further ones wait in the kernel. It is for the server whose handler is the gateway; ServeTCP does so by itself. With a negative
// AdmitRate it is l.
func (g *Gateway) Listen(l net.Listener) net.Listener {
	if g.opts.AdmitRate <= 0 {
		return l
	}
	rate := acceptRate * runtime.GOMAXPROCS(0)
	return &pacedListener{Listener: l, gw: g, pace: newPace(float64(rate), rate/100)}
}

type pacedListener struct {
	net.Listener
	gw   *Gateway
	pace pace
}

// Accept waits after a connection came, not before: who is alone goes through at once.
func (l *pacedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if d, _ := l.pace.turn(time.Now(), off); d > 0 {
		wait(l.gw.group.Context(), d)
	}
	return conn, nil
}
