package worker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// listenFor is how long one blocking read waits at most. Nothing depends on it: a job ends the read at once.
const listenFor = time.Second

// lineNames are the lines as keys name them, by number. A mark tells a listener that a delayed job became the next one due.
var lineNames = [...]string{"again", "high", "normal", "low", "mark"}

// groupName is the consumer group of every line.
const groupName = "workers"

// A listener waits for jobs while the queue is empty and the pool has places.
type listener struct {
	in    *intake
	conn  *redis.Conn
	id    atomic.Int64 // of the connection, where the server tells; it can be woken by it
	lines []string
}

// listenAll listens until the pool ends.
func (in *intake) listenAll(ctx context.Context) {
	l := &listener{in: in}
	for _, line := range lineNames {
		l.lines = append(l.lines, in.queue.base+"wait:"+line)
	}
	defer l.hangUp()
	stop := context.AfterFunc(ctx, l.wake)
	defer stop()
	in.mu.Lock()
	in.wakeListener = l.wake
	in.mu.Unlock()
	for in.quiet(ctx) {
		entries, err := l.read(ctx)
		in.heard(entries)
		if err != nil {
			l.recover(ctx, err)
		}
	}
}

// quiet waits until the queue was found empty and there are places for new jobs. It reports false once the pool ends.
func (in *intake) quiet(ctx context.Context) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		in.listening = false
		if ctx.Err() != nil || in.draining {
			return false
		}
		now := time.Now()
		if !in.hungry && len(in.held) == 0 && in.placesLocked() > 0 && in.mayTakeLocked(now) && !now.Before(in.quietTill) {
			in.listening = true
			return true
		}
		in.listen.Wait()
	}
}

// heard takes the entries that a blocking read brought.
func (in *intake) heard(entries []entry) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, e := range entries {
		if in.known[e.place()] { // the audit found it first
			continue
		}
		in.known[e.place()] = true
		in.held = append(in.held, e)
	}
	if len(entries) > 0 {
		in.hungry = true
		in.work.Signal()
	}
}

// read blocks until a job comes, at most listenFor.
func (l *listener) read(ctx context.Context) ([]entry, error) {
	if l.conn == nil {
		if err := l.dial(ctx); err != nil {
			return nil, err
		}
	}
	// One from each line that has any: the exchange that follows asks for as many as there are places.
	args := &redis.XReadGroupArgs{Group: groupName, Consumer: string(l.in.pool.id), Count: 1, Block: listenFor,
		Streams: append(append(make([]string, 0, 2*len(l.lines)), l.lines...), ">", ">", ">", ">", ">")}
	streams, err := l.conn.XReadGroup(context.WithoutCancel(ctx), args).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, s := range streams {
		for i, name := range l.lines {
			if name != s.Stream {
				continue
			}
			for _, m := range s.Messages {
				id, _ := m.Values["j"].(string)
				entries = append(entries, entry{line: int64(i + lineAgain), id: m.ID, job: JobID(id)})
			}
		}
	}
	return entries, nil
}

// dial takes a connection of its own.
func (l *listener) dial(ctx context.Context) error {
	client, ok := l.in.jobs.store.blocked.(*redis.Client)
	if !ok {
		return errors.New("worker: not a single server")
	}
	l.conn = client.Conn()
	id, err := l.conn.ClientID(ctx).Result()
	if _, refused := errors.AsType[redis.Error](err); err != nil && !refused {
		l.hangUp()
		return err
	}
	l.id.Store(id)
	return nil
}

// hangUp gives the connection up.
func (l *listener) hangUp() {
	l.id.Store(0)
	if l.conn != nil {
		_ = l.conn.Close() // whatever was wrong with it has been told
		l.conn = nil
	}
}

// wake ends a blocking read before its time, where the server can.
func (l *listener) wake() {
	id := l.id.Load()
	if id == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	_ = l.in.jobs.store.client.ClientUnblock(ctx, id).Err() // or it ends by itself within listenFor
}

// recover makes the groups again after a flush, or waits a little.
func (l *listener) recover(ctx context.Context, err error) {
	if err = l.heal(ctx, err); err == nil || ctx.Err() != nil {
		return
	}
	l.in.log.Warn("no listening for jobs", slog.Any("error", redisError(err)))
	const pause = 100 * time.Millisecond
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	l.in.feed()
}

// heal does what an answer asks for. It returns what is still wrong.
func (l *listener) heal(ctx context.Context, err error) error {
	replied, ok := errors.AsType[redis.Error](err)
	switch {
	case !ok:
		l.hangUp()
	case strings.HasPrefix(replied.Error(), "UNBLOCKED"):
		return nil
	case strings.HasPrefix(replied.Error(), "NOGROUP"):
		return l.in.makeGroups(ctx)
	}
	return err
}

// makeGroups makes the consumer group of each line.
func (in *intake) makeGroups(ctx context.Context) error {
	for _, line := range lineNames {
		err := in.jobs.store.client.XGroupCreateMkStream(ctx, in.queue.base+"wait:"+line, groupName, "0").Err()
		if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
			return redisError(err)
		}
	}
	return in.queue.announce(ctx)
}
