package gateway

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// admitRate is how many sockets a second a node takes for each processor, unless it is told: it leaves nine tenths of it to those who are
// connected already, for a socket costs 0.1 to 0.2 ms until it is welcome.
const admitRate = 500

// maxWaiting bounds the memory of those who wait: a WebSocket takes some 20 KiB until it is upgraded.
const maxWaiting = 4096

// errTooMany is of a client that would have to wait too long for its turn.
var errTooMany = errors.New("too many clients connect at a time; try again later")

// An admission has sockets take turns: when a herd of clients comes back at once, those who are connected keep the processors that they
// need. It is first come, first served.
type admission struct {
	pace     pace
	patience time.Duration // the longest wait

	closed  chan struct{} // who waits is sent away
	close   func()
	waiting atomic.Int64
	refused atomic.Int64
}

// start makes the admission ready, with options that have their defaults.
func (a *admission) start(o *Options) {
	a.closed = make(chan struct{})
	a.close = sync.OnceFunc(func() { close(a.closed) })
	a.patience = o.AdmitWait
	if o.AdmitRate > 0 {
		a.pace = newPace(o.AdmitRate, o.AdmitBurst)
	}
}

// turn takes the next turn and says how long it is until then. It reports false, and takes none, where that is too long.
func (a *admission) turn(now time.Time) (wait time.Duration, ok bool) {
	patience := a.patience
	if a.waiting.Load() >= maxWaiting {
		patience = 0
	}
	if wait, ok = a.pace.turn(now, patience); !ok {
		a.refused.Add(1)
	}
	return wait, ok
}

// wait returns nil when the time is over, and an error when the gateway goes away before. ctx bounds the call; the turn of who
// goes is lost.
func (a *admission) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	a.waiting.Add(1)
	defer a.waiting.Add(-1)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-a.closed:
		return errClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// retryAfter is in how many seconds one that was refused should come again: chance spreads them over the time in which those who
// wait now have their turns.
func (a *admission) retryAfter() int {
	return 1 + rand.IntN(int(math.Ceil(min(max(a.patience, 1), time.Minute).Seconds())))
}

// admit waits for the turn of an upgrade, which has its place in the hub. It answers, and reports false, where that does not come.
func (g *Gateway) admit(w http.ResponseWriter, r *http.Request) bool {
	wait, ok := g.admission.turn(time.Now())
	if !ok {
		g.unavailable(w, g.admission.retryAfter(), codeOverloaded, errTooMany.Error())
		return false
	}
	if err := g.admission.wait(r.Context(), wait); err != nil && r.Context().Err() != nil {
		return false // the client has gone
	}
	if refusal := g.refusal(); refusal != "" {
		g.unavailable(w, g.reconnectSeconds(), codeUnavailable, refusal)
		return false
	}
	return true
}
