package api

import (
	"context"
	"net/http"
	"sync"
)

// work counts the calls under way.
type work struct {
	mu       sync.Mutex
	draining bool
	count    int           // of calls that came before the draining
	done     chan struct{} // closed when the last of them ends, if somebody waits for it
}

// begin counts a call in. The caller calls end when it is over. While the node drains, what would only read is let through and not
// waited for; the rest is refused.
func (w *work) begin(method string) (end func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.draining:
		w.count++
		return w.end, nil
	case changes(method):
		return nil, &failure{http.StatusServiceUnavailable, codeUnavailable, "the node is draining; try another one"}
	}
	return func() {}, nil
}

func (w *work) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count--; w.count == 0 && w.done != nil {
		close(w.done)
		w.done = nil
	}
}

// drain refuses what comes from now on, and returns a channel that is closed once what came before has ended.
func (w *work) drain() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.draining = true
	if w.done == nil {
		w.done = make(chan struct{})
	}
	done := w.done
	if w.count == 0 {
		close(done)
		w.done = nil
	}
	return done
}

// Drain refuses new work from now on, as unavailable, and returns once the calls under way are answered. What only reads, health and
// metrics are answered as before, until the server is closed. ctx bounds the wait, and its error is returned then.
func (a *API) Drain(ctx context.Context) error {
	select {
	case <-a.work.drain():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
