package relay

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// mostGhosts bounds the former connections that a lane remembers. Redis finds out about the oldest by itself, in time.
const mostGhosts = 16

// An identity is how Redis knows a connection. The ID alone is not enough: it begins anew with each Redis process.
type identity struct{ id, addr string }

// identify asks Redis who we are. Not every server tells everybody, and without an answer nothing is killed later.
func (l *link) identify(ctx context.Context, conn *redis.Conn) error {
	text, err := conn.Do(ctx, "CLIENT", "INFO").Text()
	if err != nil {
		if isReply(err) {
			return nil
		}
		return err
	}
	for field := range strings.FieldsSeq(text) {
		switch name, value, _ := strings.Cut(field, "="); name {
		case "id":
			l.identity.id = value
		case "addr":
			l.identity.addr = value
		}
	}
	return nil
}

// hauntLocked remembers a connection that Redis may go on counting, until it is known to be gone.
func (l *lane) hauntLocked(ghost identity) {
	if ghost.id == "" || ghost.addr == "" || strings.HasPrefix(ghost.addr, "/") { // a unix socket can't be cut
		return
	}
	l.ghosts = append(l.ghosts, ghost)
	l.ghosts = l.ghosts[max(0, len(l.ghosts)-mostGhosts):]
}

// exorciseLocked has Redis end the lane's former connections: half-dead ones would be counted for minutes, their beacons
// too, and nobody would answer what is appended to them. The session's own beacon waits for it.
func (s *session) exorciseLocked() {
	for _, ghost := range s.lane.ghosts {
		e := &errand{args: []string{"CLIENT", "KILL", "ID", ghost.id, "ADDR", ghost.addr}}
		e.done = func(_ reply, err error) { s.exorcised(e, ghost, err) }
		s.kills = append(s.kills, e)
		s.lane.relay.outbox.post(e)
	}
}

func (s *session) exorcised(e *errand, ghost identity, err error) {
	l := s.lane
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	if l.session != s {
		return // the next one tries again
	}
	if err != nil && !isReply(err) {
		l.relay.outbox.post(e)
		return
	}
	if err != nil {
		l.relay.unkillable.Do(func() { l.relay.opts.Logger.Warn("Redis lets no former connection be killed", "error", err) })
	}
	l.ghosts = slices.DeleteFunc(l.ghosts, func(g identity) bool { return g == ghost })
	s.kills = slices.DeleteFunc(s.kills, func(other *errand) bool { return other == e })
	s.restoredLocked()
}
