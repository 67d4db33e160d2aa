package worker

import (
	"slices"
	"sync"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// maxProgress is how many reports of progress wait for one who awaits a job; the oldest give way.
const maxProgress = 16

// A waiter is one call that awaits a job.
type waiter struct {
	queue *Queue
	id    JobID
	wake  chan struct{} // one slot

	mu       sync.Mutex
	progress []bus.Body
	over     *notice
	failed   error

	// Guarded by awaited.mu:
	known  bool      // Redis took the job in, so that it can be looked for
	looked time.Time // when it was last looked for, or began to be awaited
	missed int       // looks in a row that found nothing
}

// settle ends the waiting, the first time.
func (w *waiter) settle(n *notice, err error) {
	w.mu.Lock()
	if w.over == nil && w.failed == nil {
		w.over, w.failed = n, err
	}
	w.mu.Unlock()
	w.rouse()
}

func (w *waiter) report(progress bus.Body) {
	w.mu.Lock()
	if len(w.progress) == maxProgress {
		w.progress = slices.Delete(w.progress, 0, 1)
	}
	w.progress = append(w.progress, progress)
	w.mu.Unlock()
	w.rouse()
}

func (w *waiter) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// news takes what there is to say.
func (w *waiter) news() (progress []bus.Body, over *notice, failed error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	progress, w.progress = w.progress, nil
	return progress, w.over, w.failed
}

// A ticketOf names a job among all queues.
type ticketOf struct {
	queue string
	id    JobID
}

// awaited is who waits for which job at this node.
type awaited struct {
	mu     sync.Mutex
	closed bool
	of     map[ticketOf][]*waiter
}

func newAwaited() *awaited { return &awaited{of: make(map[ticketOf][]*waiter)} }

func (a *awaited) add(w *waiter) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return ErrClosed
	}
	key := ticketOf{w.queue.name, w.id}
	w.looked = time.Now()
	a.of[key] = append(a.of[key], w)
	return nil
}

func (a *awaited) remove(w *waiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := ticketOf{w.queue.name, w.id}
	left := slices.DeleteFunc(a.of[key], func(each *waiter) bool { return each == w })
	if len(left) == 0 {
		delete(a.of, key)
		return
	}
	a.of[key] = left
}

// taken says that Redis has the job.
func (a *awaited) taken(w *waiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.known = true
}

// soon has a job looked for at the next opportunity.
func (a *awaited) soon(w *waiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.looked = time.Time{}
}

// those lists who waits for a job.
func (a *awaited) those(queue string, id JobID) []*waiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.of[ticketOf{queue, id}])
}

// unheard takes those who have waited for a second since they were last looked for, by queue.
func (a *awaited) unheard(now time.Time) map[*Queue][]*waiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found map[*Queue][]*waiter
	for _, waiters := range a.of {
		for _, w := range waiters {
			if !w.known || now.Sub(w.looked) < lookEvery {
				continue
			}
			if found == nil {
				found = make(map[*Queue][]*waiter)
			}
			w.looked = now
			found[w.queue] = append(found[w.queue], w)
		}
	}
	return found
}

// found notes whether a look found the job, and reports whether it has to be given up.
func (a *awaited) found(w *waiter, found bool) (gone bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if found {
		w.missed = 0
		return false
	}
	w.missed++
	return w.missed >= lookGrace
}

// close ends all waiting.
func (a *awaited) close() {
	a.mu.Lock()
	a.closed = true
	var all []*waiter
	for _, waiters := range a.of {
		all = append(all, waiters...)
	}
	a.mu.Unlock()
	for _, w := range all {
		w.settle(nil, ErrClosed)
	}
}
