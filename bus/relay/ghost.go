package relay

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// mostGhosts bounds the former connections that a lane or the outbox remembers. Redis finds out about the oldest by itself, in time.
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
	l.ghosts = haunted(l.ghosts, ghost)
}

// haunted adds a former connection to those that are remembered.
func haunted(ghosts []identity, ghost identity) []identity {
	if ghost.id == "" || ghost.addr == "" || strings.HasPrefix(ghost.addr, "/") { // a unix socket can't be cut
		return ghosts
	}
	ghosts = append(ghosts, ghost)
	return ghosts[max(0, len(ghosts)-mostGhosts):]
}

// kill is the command that ends the connection.
func (g identity) kill() []string { return []string{"CLIENT", "KILL", "ID", g.id, "ADDR", g.addr} }

// exorciseLocked has Redis end the outbox's former connections before anything else is sent: what they still carry would come after
// what is published from now on.
func (o *outbox) exorciseLocked() {
	var kills []*errand
	for _, ghost := range o.ghosts {
		e := &errand{args: ghost.kill()}
		e.done = func(_ reply, err error) {
			if err == nil || isReply(err) {
				o.mu.Lock()
				defer o.mu.Unlock()
				o.ghosts = slices.DeleteFunc(o.ghosts, func(g identity) bool { return g == ghost })
			}
		}
		kills = append(kills, e)
	}
	o.errands = append(kills, o.errands...)
}

// exorciseLocked has Redis end the lane's former connections: half-dead ones would be counted for minutes, their beacons
// too, and nobody would answer what is appended to them. The session's own beacon waits for it.
func (s *session) exorciseLocked() {
	for _, ghost := range s.lane.ghosts {
		e := &errand{args: ghost.kill()}
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
