package acceptance

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

const (
	watchEvery = 10 * time.Millisecond
	worthwhile = 5 * time.Millisecond // that somebody must have waited for it to count
)

// A watch sees when a process did not run: this one, whose clock ticks late then, or a node, which is late to say that it is alive.
type watch struct {
	group *run.Group

	mu     sync.Mutex // guards stalls
	stalls []stall
}

type stall struct{ from, to time.Time }

func newWatch(t *testing.T, c *cluster) *watch {
	t.Helper()
	w := &watch{group: run.New(t.Context())}
	w.group.Go(func() { w.watch(func() {}) })
	for _, n := range []*node{c.gw1, c.gw2} {
		w.group.Go(func() { w.watch(n.alive) })
	}
	t.Cleanup(w.stop)
	return w
}

// watch does something again and again, and notes when its turn came late, or it took long.
func (w *watch) watch(do func()) {
	timer := time.NewTimer(watchEvery)
	defer timer.Stop()
	for due := time.Now().Add(watchEvery); ; due = time.Now().Add(watchEvery) {
		timer.Reset(watchEvery)
		select {
		case <-timer.C:
		case <-w.group.Context().Done():
			return
		}
		do()
		if now := time.Now(); now.Sub(due) > worthwhile {
			w.mu.Lock()
			w.stalls = append(w.stalls, stall{due, now})
			w.mu.Unlock()
		}
	}
}

// alive asks the node whether it is alive, which needs nobody else.
func (n *node) alive() {
	if res, err := n.caller.Get(n.http + "/livez"); err == nil && res.StatusCode == http.StatusOK {
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
}

// stalled is for how long somebody stood still meanwhile.
func (w *watch) stalled(from, to time.Time) (sum time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.stalls {
		if s.from.Before(to) && s.to.After(from) {
			sum += min(to.Sub(s.from), s.to.Sub(s.from))
		}
	}
	return sum
}

func (w *watch) stop() {
	w.group.Stop()
	w.group.Wait()
}
