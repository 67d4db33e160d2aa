package bus

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The rhythm of looking whether nodes are alive.
const (
	lookEvery = 100 * time.Millisecond
	deadAfter = 600 * time.Millisecond
)

// liveness decides who is dead: a node of which Redis holds no connection, in every look over deadAfter. It asks for nodes that
// something waits on, and does not wait for their announcements.
type liveness struct {
	gone map[uuid.UUID]time.Duration // since when Redis holds no connection of the node
}

func newLiveness() *liveness { return &liveness{gone: make(map[uuid.UUID]time.Duration)} }

// looked takes the counts of a look and returns those who are dead.
func (l *liveness) looked(now time.Duration, ids []uuid.UUID, counts []int) (dead []uuid.UUID) {
	gone := make(map[uuid.UUID]time.Duration, len(l.gone))
	for i, id := range ids {
		if counts[i] > 0 {
			continue
		}
		since, known := l.gone[id]
		if !known {
			since = now
		}
		if now-since >= deadAfter {
			dead = append(dead, id)
		}
		gone[id] = since
	}
	l.gone = gone
	return dead
}

// reset forgets what was seen: this node's own view of Redis was broken.
func (l *liveness) reset() { clear(l.gone) }

// watchLiveness looks whether the nodes that are waited on are alive, until the bus ends.
func (b *Bus) watchLiveness() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	live := newLiveness()
	for {
		select {
		case <-b.group.Context().Done():
			return
		case <-ticker.C:
		}
		b.checkLiveness(live)
	}
}

// checkLiveness takes one look.
func (b *Bus) checkLiveness(live *liveness) {
	ids, calm := b.watched()
	if calm || len(ids) == 0 {
		live.reset()
		return
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	ctx, cancel := context.WithTimeout(b.group.Context(), time.Second)
	defer cancel()
	counts, err := b.relay.Alive(ctx, names)
	if err != nil {
		live.reset()
		return
	}
	for _, id := range live.looked(b.now(), ids, counts) {
		b.died(id)
	}
}

// watched lists the nodes to look at. calm says that a look would tell of this node instead.
func (b *Bus) watched() (ids []uuid.UUID, calm bool) {
	b.requestsMu.Lock()
	now := b.now()
	calm = b.requests.fallen > 0 || now < b.requests.calm
	ids = b.requests.awaited(nil)
	suspect := now < b.requests.suspects
	b.requestsMu.Unlock()
	b.membersMu.Lock()
	defer b.membersMu.Unlock()
	ids = b.members.doubtful(ids, suspect)
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids), calm
}

// died spreads the news that a node is dead.
func (b *Bus) died(id uuid.UUID) {
	b.membersMu.Lock()
	b.members.died(b.now(), id)
	b.membership.Store(b.members.changes)
	b.membersMu.Unlock()
	b.requestsMu.Lock()
	b.requests.died(b.now(), id)
	fx := b.requests.take()
	b.requestsMu.Unlock()
	b.perform(fx)
	b.membersChanged()
}
