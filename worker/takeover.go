package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

const watchEvery = 150 * time.Millisecond

// others looks at the other workers for a pool.
type others struct {
	pool *Pool
	view *view
}

// watchOthers takes over from workers that are gone, until the pool ends.
func (p *Pool) watchOthers(ctx context.Context) {
	now := time.Now()
	o := &others{pool: p, view: newView(p.opts.Lease, now, now.Add(-p.jobs.store.up(ctx)))}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if blind(p.jobs.bus.Unreachable(), p.silent()) {
			o.view.broken(time.Now()) // leases end all the same
		}
		if err := o.look(ctx); err != nil && ctx.Err() == nil {
			o.view.broken(time.Now())
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

// look looks once at all others, and takes over from those that are gone.
func (o *others) look(ctx context.Context) error {
	seen, err := o.sightings(ctx)
	if err != nil {
		return err
	}
	present, err := o.present(ctx, seen)
	if err != nil {
		return err
	}
	for _, v := range o.view.judge(seen, present, time.Now()) {
		o.takeOver(ctx, v)
	}
	return nil
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
func (o *others) takeOver(ctx context.Context, v verdict) {
	n, err := v.in.reap(ctx, v.id, v.beat, v.why, true)
	switch {
	case err != nil:
		v.in.log.Warn("no take-over", slog.String("worker", v.id.name()), slog.Any("error", err))
	case n >= 0:
		v.in.log.Warn("took over from a worker", slog.String("worker", v.id.name()), slog.Int64("jobs", n), slog.Any("why", v.why))
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
