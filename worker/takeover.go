package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

const (
	watchEvery = 150 * time.Millisecond
	goneAfter  = 1500 * time.Millisecond // without a connection of its node
	calmAfter  = 3 * time.Second         // looks count again, after this worker's own view was broken or Redis began: others come back too
)

// others is what a worker sees of the others.
type others struct {
	pool   *Pool
	absent map[workerID]time.Time // since when Redis holds no connection of its node
	calm   time.Time              // since when this worker's own view is whole, and Redis is up
	watch  time.Time              // since when it has watched without a break
}

// watchOthers takes over from workers that are gone, until the pool ends.
func (p *Pool) watchOthers(ctx context.Context) {
	now := time.Now()
	o := &others{pool: p, absent: make(map[workerID]time.Time), watch: now, calm: now.Add(-p.jobs.store.up(ctx))}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if p.jobs.bus.Unreachable() > 0 || p.silent() > 2*beatEvery {
			o.broken() // leases end all the same
		}
		if err := o.look(ctx); err != nil && ctx.Err() == nil {
			o.broken()
		}
	}
}

// silent is for how long none of the pool's heartbeats was taken by Redis.
func (p *Pool) silent() time.Duration {
	silent := time.Since(p.started)
	for _, in := range p.intakes {
		silent = min(silent, in.silent())
	}
	return silent
}

// broken notes that what was seen tells of this worker, not of the others.
func (o *others) broken() {
	o.calm = time.Now()
	o.watch = o.calm
	clear(o.absent)
}

// A sighting is another worker at one queue.
type sighting struct {
	in    *intake
	id    workerID
	beat  string // its last heartbeat, as Redis has it
	quiet time.Duration
}

// look looks once at all others.
func (o *others) look(ctx context.Context) error {
	seen, err := o.sightings(ctx)
	if err != nil {
		return err
	}
	present, err := o.present(ctx, seen)
	if err != nil {
		return err
	}
	now := time.Now()
	absent := make(map[workerID]time.Time)
	for _, s := range seen {
		if !present[s.id.node()] {
			absent[s.id] = now
			if since, before := o.absent[s.id]; before {
				absent[s.id] = since
			}
		}
		if why := o.judge(s, absent, now); why != nil {
			o.takeOver(ctx, s, why)
		}
	}
	o.absent = absent
	return nil
}

// judge says why a worker is gone, or nil.
func (o *others) judge(s sighting, absent map[workerID]time.Time, now time.Time) error {
	since, gone := absent[s.id]
	switch {
	case gone && now.Sub(o.calm) >= calmAfter && now.Sub(since) >= goneAfter:
		return fmt.Errorf("%w: its worker died", ErrLeaseLost)
	case s.quiet > silentOther && now.Sub(o.watch) > silentOther:
		return fmt.Errorf("%w: its worker fell silent", ErrLeaseLost)
	case s.quiet > o.pool.opts.Lease:
		return fmt.Errorf("%w: it ended", ErrLeaseLost)
	default:
		return nil
	}
}

// sightings reads the heartbeats of the others.
func (o *others) sightings(ctx context.Context) ([]sighting, error) {
	client := o.pool.jobs.store.client
	pipe := client.Pipeline()
	clock := pipe.Time(ctx)
	beats := make(map[*intake]*redis.ZSliceCmd)
	for _, in := range o.pool.intakes {
		beats[in] = pipe.ZRangeWithScores(ctx, in.queue.base+"workers", 0, -1)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, redisError(err)
	}
	now := clock.Val().UnixMilli()
	var seen []sighting
	for in, cmd := range beats {
		for _, z := range cmd.Val() {
			member, _ := z.Member.(string)
			if id := workerID(member); id != o.pool.id {
				seen = append(seen, sighting{in: in, id: id, beat: text(int64(z.Score)),
					quiet: time.Duration(now-int64(z.Score)) * time.Millisecond})
			}
		}
	}
	return seen, nil
}

// present asks which nodes are connected.
func (o *others) present(ctx context.Context, seen []sighting) (map[uuid.UUID]bool, error) {
	self := o.pool.jobs.self.ID
	present := map[uuid.UUID]bool{self: true}
	var nodes []uuid.UUID
	for _, s := range seen {
		if node := s.id.node(); !present[node] {
			present[node] = true
			nodes = append(nodes, node)
		}
	}
	if len(nodes) == 0 {
		return present, nil
	}
	living, err := o.pool.jobs.bus.Living(ctx, nodes...)
	if err != nil {
		return nil, err
	}
	for i, node := range nodes {
		present[node] = living[i]
	}
	return present, nil
}

// takeOver has a worker's jobs wait again, before all others.
func (o *others) takeOver(ctx context.Context, s sighting, why error) {
	n, err := s.in.reap(ctx, s.id, s.beat, why, true)
	switch {
	case err != nil:
		s.in.log.Warn("no take-over", slog.String("worker", s.id.name()), slog.Any("error", err))
	case n >= 0:
		s.in.log.Warn("took over from a worker", slog.String("worker", s.id.name()), slog.Int64("jobs", n), slog.Any("why", why))
	}
}

// reap takes over what a worker has; -1: it has shown itself since the heartbeat.
func (in *intake) reap(ctx context.Context, id workerID, beat string, why error, counted bool) (taken int64, err error) {
	count := 0
	if counted {
		count = 1
	}
	for {
		reply, err := in.jobs.store.list(ctx, 2, scriptReap, in.queue.base, string(id), beat, line(id.name(), why), count)
		if err != nil {
			return taken, err
		}
		n := asNumber(reply[0])
		if n < 0 {
			return -1, nil
		}
		taken += n
		if asNumber(reply[1]) == 0 {
			return taken, nil
		}
	}
}
