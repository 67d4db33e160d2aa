package acceptance

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// An overload is what is asked of clients that can't have it all, what came of it, and what they saw.
type overload struct {
	form
	c     *cluster
	users []string
	data  string        // of each message
	every time.Duration // between two requests
	watch *watch
	asked int

	mu      sync.Mutex // guards all below
	ended   map[string]int
	wrong   []string // answers that there must not be
	told    int      // volatile messages that were dropped, with how many were waiting
	refused int      // requests of which nothing was sent
	answers []*numberedAnswer
	seen    map[string]int // by event, how often a client handled a message that was not marked as redelivered
}

// A numberedAnswer is the answer to the request whose event is the number.
type numberedAnswer struct {
	*answer
	event string
}

// see is how the clients react.
func (o *overload) see(f frame) object {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := strconv.Atoi(f.Event); err == nil && (o.seen[f.Event] == 0 || !f.Redelivered) {
		o.seen[f.Event]++
	}
	return object{"type": "ack", "id": f.ID}
}

func (o *overload) ask(number int, to string, volatile bool) {
	event := strconv.Itoa(number)
	a := o.c.gw1.ask(to, object{"event": event, "data": o.data, "volatile": volatile,
		"timeout_ms": askedWithin.Milliseconds()})
	o.mu.Lock()
	defer o.mu.Unlock()
	outcome := a.Outcome
	if outcome == "" {
		outcome = "(" + a.Error.Code + ")"
	}
	told := len(a.Deliveries) == 1 && strings.Contains(a.Deliveries[0].Error.Message, "were waiting")
	right := false
	switch outcome {
	case "confirmed", "unconfirmed", "expired", "closed", "no_receiver", "unknown":
		right = true
	case "(overloaded)", "(unavailable)":
		right = true
		o.refused++
	case "dropped":
		right = told
		if volatile && told && strings.Contains(a.Deliveries[0].Error.Message, "volatile") { // and not as the client was too slow
			o.told++
		}
	}
	if !right {
		o.wrong = append(o.wrong, a.String())
	}
	o.answers = append(o.answers, &numberedAnswer{a, event})
	if volatile {
		outcome = "volatile " + outcome
	}
	o.ended[outcome]++
}

// judge compares what was told with what the clients saw, and looks at when.
func (o *overload) judge(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.answers {
		switch seen := o.seen[a.event]; {
		case a.Outcome == "confirmed" && seen == 0, a.unwritten() && seen > 0:
			o.wrong = append(o.wrong, fmt.Sprintf("handled %d times: %v", seen, a))
		case seen > 1:
			o.wrong = append(o.wrong, fmt.Sprintf("handled %d times, and not marked as redelivered: %v", seen, a))
		}
		if after := o.after(a.answer); after > o.late {
			o.wrong = append(o.wrong, fmt.Sprintf("%v after its deadline: %v", after, a))
		}
	}
	if len(o.wrong) > 0 {
		t.Errorf("%d answers like %s", len(o.wrong), o.wrong[0])
	}
	if len(o.answers) != o.asked {
		t.Errorf("%d requests of %d have ended", len(o.answers), o.asked)
	}
	if o.ended["confirmed"]+o.ended["volatile confirmed"] == 0 {
		t.Error("nothing was confirmed")
	}
}

// after is how long after the deadline the answer came, without the time in which the machine did something else.
func (o *overload) after(a *answer) time.Duration {
	if a.took <= askedWithin {
		return 0
	}
	return max(a.took-askedWithin-o.watch.stalled(a.at.Add(-a.took), a.at), 0)
}

// latest is how long after its deadline the latest answer came.
func (o *overload) latest() (most time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.answers {
		most = max(most, o.after(a.answer))
	}
	return most
}

// unknown is how many requests ended before anybody had claimed them.
func (o *overload) unknown() int { return o.ended["unknown"] + o.ended["volatile unknown"] }

// starved reports whether the machine had no time for the nodes: requests end before they have been claimed then, and the clients' queues
// never fill. The long form has the machine for itself.
func (o *overload) starved(t *testing.T) bool {
	t.Helper()
	if o.unknown() <= o.asked/20 || o.long {
		return false
	}
	t.Log("so much ended before anybody had claimed it that this run says nothing of the clients' queues, nor of time")
	return true
}

// unwritten reports whether the answer says that nobody got the message.
func (a *answer) unwritten() bool {
	switch a.Outcome {
	case "dropped", "expired", "no_receiver":
		return true
	case "closed":
		return len(a.Deliveries) == 1 && a.Deliveries[0].Written == 0
	}
	return a.Error.Code != "" // refused
}
