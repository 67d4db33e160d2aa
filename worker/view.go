package worker

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	goneAfter = 1500 * time.Millisecond // without a connection of its node
	calmAfter = 3 * time.Second         // looks count again, after this worker's own view was broken or Redis began: others come back too
)

// A view is what a worker has seen of the others, and its judgement of them. It asks nobody and reads no clock.
type view struct {
	lease  time.Duration
	absent map[workerID]time.Time // since when Redis holds no connection of its node
	beats  map[beating]heartbeat
	calm   time.Time // since when this worker's own view is whole, and Redis is up
	watch  time.Time // since when it has watched without a break
}

// A beating is a worker at one queue.
type beating struct {
	in *intake
	id workerID
}

// A heartbeat is the last one that was seen, and when it was seen first: by the clock of whoever watches, for Redis's may be set.
type heartbeat struct {
	beat  string
	first time.Time
}

// newView begins to watch, on a Redis that began some time ago.
func newView(lease time.Duration, now, redisBegan time.Time) *view {
	return &view{lease: lease, watch: now, calm: redisBegan}
}

// blind reports whether a worker that has had no lane for so long, and no heartbeat taken by any queue, can tell nothing of the others.
func blind(unreachable, silent time.Duration) bool { return unreachable > 0 || silent > 2*beatEvery }

// broken notes that what was seen tells of this worker, not of the others.
func (v *view) broken(now time.Time) {
	v.calm, v.watch = now, now
	clear(v.absent)
}

// A sighting is another worker at one queue.
type sighting struct {
	in    *intake
	id    workerID
	beat  string        // its last heartbeat, as Redis has it
	quiet time.Duration // since that, by Redis's clock
}

// A verdict says that a worker is gone, and why.
type verdict struct {
	sighting

	why error
}

// judge says who of those that were seen is lost, given whose nodes have a connection.
func (v *view) judge(seen []sighting, present map[uuid.UUID]bool, now time.Time) (lost []verdict) {
	absent, beats := make(map[workerID]time.Time), make(map[beating]heartbeat, len(seen))
	for _, s := range seen {
		if !present[s.id.node()] {
			absent[s.id] = now
			if since, before := v.absent[s.id]; before {
				absent[s.id] = since
			}
		}
		at := beating{s.in, s.id}
		last := v.beats[at]
		if last.beat != s.beat {
			last = heartbeat{s.beat, now}
		}
		beats[at] = last
		since, gone := absent[s.id]
		if why := v.why(s, gone && now.Sub(since) >= goneAfter, now.Sub(last.first) > silentOther, now); why != nil {
			lost = append(lost, verdict{s, why})
		}
	}
	v.absent, v.beats = absent, beats
	return lost
}

// why says why a worker is gone that was absent or silent for long enough, or nil.
func (v *view) why(s sighting, absent, silent bool, now time.Time) error {
	switch {
	case absent && now.Sub(v.calm) >= calmAfter:
		return fmt.Errorf("%w: its worker died", ErrLeaseLost)
	case silent && now.Sub(v.watch) > silentOther:
		return fmt.Errorf("%w: its worker fell silent", ErrLeaseLost)
	case silent && s.quiet > v.lease:
		return fmt.Errorf("%w: it ended", ErrLeaseLost)
	default:
		return nil
	}
}
