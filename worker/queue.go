package worker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// A Queue takes jobs in. Its methods may be called from many goroutines.
type Queue struct {
	jobs  *Jobs
	name  string
	base  string // begins its keys
	room  *semaphore.Weighted
	known atomic.Int64 // when its name was last put into Redis, in ms since 1970

	mu       sync.Mutex
	waiting  []*enqueuing // to be sent
	couriers int          // goroutines that send
}

// Bounds of what waits in this process to be sent to one queue; an enqueuer waits for room.
const maxWaitingBytes = 32 << 20

func newQueue(j *Jobs, name string) *Queue {
	return &Queue{jobs: j, name: name, base: j.store.base(name), room: semaphore.NewWeighted(maxWaitingBytes)}
}

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// fail wraps an error with what was done to which queue.
func (q *Queue) fail(what string, err error) error {
	return fmt.Errorf("worker: %s %s: %w", what, q.name, err)
}

// list runs a script on the queue that answers a list of at least n parts.
func (q *Queue) list(ctx context.Context, n int, what string, args ...any) ([]any, error) {
	if err := CheckQueue(q.name); err != nil {
		return nil, err
	}
	return q.jobs.store.list(ctx, n, what, q.base, args...)
}

// announceEvery is how often a queue that is used says its name again: it may have been flushed.
const announceEvery = 30 * time.Second

// announce has the queue's name stand in Redis.
func (q *Queue) announce(ctx context.Context) error {
	now := time.Now().UnixMilli()
	if last := q.known.Load(); last != 0 && now-last < announceEvery.Milliseconds() {
		return nil
	}
	if err := q.jobs.store.client.SAdd(ctx, q.jobs.store.names(), q.name).Err(); err != nil {
		return redisError(err)
	}
	q.known.Store(now)
	return nil
}
