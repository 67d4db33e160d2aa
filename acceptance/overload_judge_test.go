package acceptance

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// An overload is what is asked of the slow clients, what came of it, and what they saw.
type overload struct {
	c       *cluster
	clients int
	asked   int

	mu       sync.Mutex // guards all below
	ended    map[string]int
	wrong    []string           // answers that there must not be
	told     int                // volatile messages that were dropped, with how many were waiting
	receipts map[string]*answer // by the message's ID
	seen     map[string]int     // how often a client handled a message that was not marked as redelivered
}

// see is how the slow clients react.
func (o *overload) see(f frame) object {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := o.seen[f.ID]; n == 0 || !f.Redelivered {
		o.seen[f.ID]++
	}
	return object{"type": "ack", "id": f.ID}
}

func (o *overload) ask(to string, volatile bool) {
	a := o.c.gw1.ask(to, object{"data": strings.Repeat("x", askedBytes), "volatile": volatile, "timeout_ms": askedWithin.Milliseconds()})
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
	case "(overloaded)", "(unavailable)": // refused
		right = true
	case "dropped":
		right = told
		if volatile && told && strings.Contains(a.Deliveries[0].Error.Message, "volatile") { // and not as the client was too slow
			o.told++
		}
	}
	if !right {
		o.wrong = append(o.wrong, a.String())
	}
	if a.ID != "" {
		o.receipts[a.ID] = a
	}
	if volatile {
		outcome = "volatile " + outcome
	}
	o.ended[outcome]++
}

// judge compares what was told with what the clients saw.
func (o *overload) judge(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, a := range o.receipts {
		if seen := o.seen[id]; a.Outcome == "confirmed" && seen == 0 || a.unwritten() && seen > 0 {
			o.wrong = append(o.wrong, fmt.Sprintf("handled %d times: %v", seen, a))
		} else if seen > 1 {
			o.wrong = append(o.wrong, fmt.Sprintf("handled %d times, and not marked as redelivered: %v", seen, a))
		}
	}
	if len(o.wrong) > 0 {
		t.Errorf("%d answers like %s", len(o.wrong), o.wrong[0])
	}
	sum := 0
	for _, n := range o.ended {
		sum += n
	}
	if sum != o.asked {
		t.Errorf("%d requests of %d have ended", sum, o.asked)
	}
	if unknown := o.unknown(); unknown > o.asked*2/3 { // no machine is so busy
		t.Errorf("%d requests of %d are unknown", unknown, o.asked)
	}
	if o.told == 0 && !o.starved(t) {
		t.Error("no volatile message was told to be dropped, with how many were waiting")
	}
	if o.ended["confirmed"]+o.ended["volatile confirmed"] == 0 {
		t.Error("nothing was confirmed")
	}
}

// unknown is how many requests ended before anybody had claimed them.
func (o *overload) unknown() int { return o.ended["unknown"] + o.ended["volatile unknown"] }

// starved reports whether the machine had no time for the nodes: requests end before they have been claimed then, and the clients' queues
// never fill. The long form has the machine for itself.
func (o *overload) starved(t *testing.T) bool {
	t.Helper()
	if o.unknown() <= o.asked/20 || os.Getenv(overloadEnv) != "" {
		return false
	}
	t.Log("the machine was too busy for the clients to be what there is too little of")
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
	return false
}
