package relay

import (
	"fmt"
	"sync"
)

// mostPatterns bounds the patterns of a node: Redis tries every pattern of every connection at each PUBLISH.
const mostPatterns = 1000

// A holding is how far a channel is held on the lane's present connection.
type holding uint8

const (
	holdNone   holding = iota
	holdAsked          // SUBSCRIBE is on its way, or its confirmation
	holdStands         // confirmed
	holdLeaves         // UNSUBSCRIBE is on its way, or its confirmation
)

// A subscription is one channel of a lane: what is wanted, what was asked for, what was confirmed.
type subscription struct {
	channel Channel
	// wanted is what is to become of it; state is how far that has come. One order at a time is under way for a channel, so
	// that a confirmation can only mean that one.
	wanted bool
	state  holding
	own    bool // one of the lane's own channels
	// queued: it stands in table.pending. alone: it goes in a command of its own, since Redis refused one with others.
	queued, alone bool
	restoring     bool // the lane does not stand again before it is confirmed
	granted       bool // some Subscribe has returned it, so somebody relies on it
	lingering     bool // it stands in table.lingers
	refs          int
	until         int64         // wanted no longer than this once refs is 0
	settled       chan struct{} // closed when it is confirmed or refused; nil while nobody waits
	refused       error         // why it was refused, once settled is closed
}

// A table is the subscriptions of a lane. Its lock guards the session's orders too: both change together.
type table struct {
	mu       sync.Mutex
	subs     map[Channel]*subscription
	pending  []*subscription // whose state differs from what is wanted, in order
	lingers  []*subscription // whose refs fell to 0, about in order
	patterns int
	closing  bool // nothing is wanted any more
}

func newTable() *table { return &table{subs: make(map[Channel]*subscription)} }

// wantLocked counts one more user of the channel.
func (t *table) wantLocked(ch Channel) (*subscription, error) {
	sub := t.subs[ch]
	if sub == nil {
		if ch.Pattern && t.patterns >= mostPatterns {
			return nil, fmt.Errorf("%w: %d patterns are held already", ErrTooManyPatterns, mostPatterns)
		}
		sub = t.putLocked(ch)
	}
	sub.refs++
	sub.wanted = true
	t.enqueueLocked(sub)
	return sub, nil
}

func (t *table) putLocked(ch Channel) *subscription {
	sub := &subscription{channel: ch}
	t.subs[ch] = sub
	if ch.Pattern {
		t.patterns++
	}
	return sub
}

func (t *table) deleteLocked(sub *subscription) {
	if t.subs[sub.channel] != sub {
		return
	}
	delete(t.subs, sub.channel)
	if sub.channel.Pattern {
		t.patterns--
	}
}

// enqueueLocked puts the subscription in line if there is something to do for it now.
func (t *table) enqueueLocked(sub *subscription) {
	due := sub.wanted && sub.state == holdNone || !sub.wanted && sub.state == holdStands
	if due && !sub.queued {
		sub.queued = true
		t.pending = append(t.pending, sub)
	}
}

// awaitLocked returns a channel that closes once the subscription is confirmed or refused.
func (t *table) awaitLocked(sub *subscription) <-chan struct{} {
	if sub.settled == nil {
		sub.settled = make(chan struct{})
	}
	return sub.settled
}

// settleLocked lets those go on who wait for the subscription.
func (t *table) settleLocked(sub *subscription, refused error) {
	sub.refused = refused
	if sub.settled != nil {
		close(sub.settled)
		sub.settled = nil
	}
}

// confirmedLocked takes a confirmation by Redis.
func (t *table) confirmedLocked(sub *subscription, subscribed bool) {
	sub.alone = false
	if !subscribed {
		sub.state = holdNone
		if !sub.wanted {
			t.deleteLocked(sub)
			return
		}
		t.enqueueLocked(sub)
		return
	}
	sub.state = holdStands
	sub.granted = sub.granted || sub.refs > 0
	t.settleLocked(sub, nil)
	t.enqueueLocked(sub) // it may be unwanted by now
}

// releaseLocked counts one user less. The channel stays until the given time; 0 is at once.
func (t *table) releaseLocked(sub *subscription, until int64) {
	sub.refs--
	if sub.refs > 0 || sub.own {
		return
	}
	sub.until = until
	switch {
	case until == 0:
		t.forgetLocked(sub)
	case !sub.lingering:
		sub.lingering = true
		t.lingers = append(t.lingers, sub)
	}
}

// giveUpLocked makes unwanted what nobody has used for long enough, and reports whether there is something to do now.
func (t *table) giveUpLocked(now int64) bool {
	for len(t.lingers) > 0 && t.lingers[0].until <= now {
		sub := t.lingers[0]
		t.lingers = t.lingers[1:]
		sub.lingering = false
		if sub.refs == 0 {
			t.forgetLocked(sub)
		}
	}
	return len(t.pending) > 0
}

// forgetLocked makes a channel unwanted.
func (t *table) forgetLocked(sub *subscription) {
	sub.wanted, sub.granted = false, false
	if sub.state == holdNone {
		t.deleteLocked(sub) // a queued one is skipped when its turn comes
		return
	}
	t.enqueueLocked(sub)
}

// fellLocked takes back what the lost connection had confirmed.
func (t *table) fellLocked() {
	for _, sub := range t.subs {
		sub.state = holdNone
	}
}

// restartLocked begins anew on a new connection that holds nothing: what lingers is given up, everything else is put
// in line. It returns how many that are.
func (t *table) restartLocked() int {
	clear(t.pending)
	clear(t.lingers)
	t.pending, t.lingers = t.pending[:0], t.lingers[:0]
	restoring := 0
	for _, sub := range t.subs {
		sub.state, sub.queued, sub.alone, sub.lingering, sub.restoring = holdNone, false, false, false, false
		switch {
		case sub.own:
		case sub.refs == 0:
			t.forgetLocked(sub)
		default:
			sub.restoring = true
			restoring++
			t.enqueueLocked(sub)
		}
	}
	return restoring
}
