package gateway

import (
	"fmt"
	"time"
)

// An ending is why a session closes.
type ending struct {
	code  int    // WebSocket close code (RFC 6455, section 7.4); 0: the peer went first
	error string // code of the error frame that precedes the close on TCP; empty: none
	text  string
	slow  bool // what was not written counts as dropped, not as closed
	hard  bool // nothing more is written, nobody is waited for
}

// The endings.
var (
	endLost         = ending{hard: true}
	endSilent       = ending{code: 1006, text: "heartbeat missed", hard: true}
	endBroken       = ending{code: 1006, text: "write failed", hard: true}
	endDrained      = ending{code: 1001, text: "going away"}
	endClosed       = ending{code: 1001, error: codeOverloaded, text: "the node is going away: connect again"}
	endUnreachable  = ending{code: 1001, error: codeInternal, text: "the bus can't be reached: connect again later"}
	endPolicy       = ending{code: 1008, error: codeForbidden, text: "policy"}
	endTooLarge     = ending{code: 1009, text: "frame too large"}
	endUnauthorized = ending{code: 4001, error: codeUnauthorized, text: "unauthorized"}
	endNoHello      = ending{code: 4002, error: codeTimeout, text: "hello did not come in time"}
	endNotHello     = ending{code: 4009, text: "hello must come first"}
	endTooSlow      = ending{code: 4008, error: codeOverloaded, text: "too slow", slow: true}
	endStuck        = ending{code: 4008, text: "too slow", slow: true, hard: true}
	endUnfinished   = ending{code: 1008, error: codeTimeout, text: "a frame was begun and not finished in time"}
	endCrowded      = ending{code: 1013, text: "too much is being received by this node; try again later"}
	endTooMany      = ending{code: 1013, error: codeOverloaded, text: errTooMany.Error()}
	endBadFrames    = ending{code: 4009, text: "too many bad frames"}
)

func (e ending) because(text string) ending {
	e.text = text
	return e
}

// shut begins the end of the session and returns at once. The first ending counts. Messages that were not written are
// settled; acknowledgements of those that were still count until the peer has closed, or CloseTimeout is over.
func (s *session) shut(e ending) {
	s.mu.Lock()
	if s.phase >= closing {
		s.mu.Unlock()
		return
	}
	s.phase = closing
	s.ending = e
	dropped := s.cutLocked(e)
	if !e.hard {
		s.pushLocked(item{frame: s.carrier.farewell(e), last: true})
		s.writeLocked()
	}
	s.mu.Unlock()
	wait := s.gw.opts.CloseTimeout
	if e.hard {
		wait = 0
	}
	// The reader ends by then, and with it the connection, however stuck the writer is. It fails only on a closed one.
	_ = s.conn.SetReadDeadline(time.Now().Add(wait))
	if e.slow {
		s.gw.metrics.slowClients.Inc()
	}
	s.release(dropped)
}

// cutLocked removes what will not be written: messages, and for those with whom there is no talking the rest as well.
func (s *session) cutLocked(e ending) []item {
	dropped := s.queue.cut(func(it item) bool { return it.message || e.slow || e.hard })
	for _, it := range s.early {
		s.queue.unkeep(it)
		dropped = append(dropped, it)
	}
	s.early = nil
	for _, it := range dropped {
		if it.wait != nil {
			s.forgetLocked(it.wait)
		}
	}
	return dropped
}

// release settles items that will never be written, and gives their room back.
func (s *session) release(items []item) {
	bytes := 0
	for _, it := range items {
		bytes += len(it.frame)
		s.abandon(it, len(items))
	}
	s.gw.budget.give(bytes)
}

// abandon settles one delivery of several that were not written, for the reason for which the session ended.
func (s *session) abandon(it item, waiting int) {
	switch {
	case it.wait == nil:
	case s.slow():
		it.wait.ticket.Drop(dropCode, fmt.Sprintf("the client was too slow: %d messages were waiting", waiting))
	default:
		it.wait.ticket.Close()
	}
}

func (s *session) slow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending.slow
}
