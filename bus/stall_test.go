package bus

import (
	"testing"
	"time"
)

// A process that stood still finds asks of long ago unanswered: the answers lie unread, and the node is not called silent for it.
func TestAStallOfOnesOwnIsNobodysSilence(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	p.deadline = d.clock + time.Minute
	d.hear(7, claimOfOne(p, 1))
	for range 100 { // an ask has left
		d.clock += tick
		d.advance(d.clock)
	}
	d.clock += 2 * silentAfter
	d.advance(d.clock)
	if p.over {
		t.Fatal("the node is called silent by one that stood still itself")
	}
	d.hear(7, confirmation(p))
	if p.outcome != OutcomeConfirmed {
		t.Fatal(p.outcome)
	}
}
