package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

const (
	maxTelling = 1024            // notices under way; more are sent by those who have them, one after another
	tellWithin = 2 * time.Second // then those who wait find it in Redis
	deafFor    = time.Second     // after a notice that nobody answered, a node gets no other; then one at a time until it answers
	maxDeaf    = 1024            // nodes that are remembered as deaf
)

// tellings are the notices under way to other nodes. A node that is stopped must not hold up those who work for others.
type tellings struct {
	mu    sync.Mutex
	under int
	quiet chan struct{} // closed while nothing is under way
	to    map[uuid.UUID]*told
}

// told is what is under way to one node.
type told struct {
	under int
	deaf  bool
	again time.Time // when a deaf node is tried again
}

func newTellings() *tellings {
	t := &tellings{quiet: make(chan struct{}), to: make(map[uuid.UUID]*told)}
	close(t.quiet)
	return t
}

// begin reports whether the node is to be told now, and whether there are so many under way that the teller has to wait for it.
func (t *tellings) begin(node uuid.UUID, now time.Time) (tell, full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	to := t.to[node]
	if to == nil {
		to = &told{}
		t.to[node] = to
	}
	if to.deaf && (to.under > 0 || now.Before(to.again)) {
		return false, false
	}
	if t.under == 0 {
		t.quiet = make(chan struct{})
	}
	t.under++
	to.under++
	return true, t.under > maxTelling
}

// end notes what became of a notice.
func (t *tellings) end(node uuid.UUID, err error, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	to := t.to[node]
	to.under--
	if to.deaf = isUnanswered(err); to.deaf {
		to.again = now.Add(deafFor)
	}
	if to.under == 0 && (!to.deaf || len(t.to) > maxDeaf) {
		delete(t.to, node)
	}
	if t.under--; t.under == 0 {
		close(t.quiet)
	}
}

// isUnanswered reports whether a node seems to be there, and says nothing.
func isUnanswered(err error) bool {
	return errors.Is(err, bus.ErrUnknown) || errors.Is(err, bus.ErrUnconfirmed) || errors.Is(err, context.DeadlineExceeded)
}

// ended is closed once nothing is under way.
func (t *tellings) ended() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.quiet
}

// awaitTold waits until what is under way has been told, at most for d.
func (j *Jobs) awaitTold(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-j.telling.ended():
	case <-j.group.Context().Done():
	case <-timer.C:
	}
}

// send tells a node in the background, unless too much is under way. What it is not told it finds in Redis.
func (j *Jobs) send(node uuid.UUID, queue, event string, body bus.Body) {
	tell, full := j.telling.begin(node, time.Now())
	if !tell {
		return
	}
	if full && event == eventProgress {
		j.telling.end(node, nil, time.Now()) // the next report is newer
		return
	}
	request := func() { j.telling.end(node, j.request(j.group.Context(), node, queue, event, body), time.Now()) }
	if full || !j.group.Go(request) {
		request()
	}
}

// request tells a node, and waits until it has heard.
func (j *Jobs) request(ctx context.Context, node uuid.UUID, queue, event string, body bus.Body) error {
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	_, err := j.bus.Request(ctx, bus.MethodAt(resultMethod, node), event, body, bus.WithHeader(queueHeader, queue), bus.TrustCount())
	if err != nil {
		j.log.Debug("nobody there to be told of a job", slog.String("queue", queue), slog.Any("error", err))
	}
	return err
}
