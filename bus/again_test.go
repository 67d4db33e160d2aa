package bus

import (
	"testing"

	"github.com/google/uuid"
)

// An ID whose first delivery was closed is delivered again, on another socket. The answer to an earlier copy, which comes after that was
// decided, names the old socket: what is confirmed now is not laid at its door.
func TestALateClaimOfBeforeIsNotTheNewOne(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	claimOf := func(attempt uint32, socket string, flags claimFlags) []byte {
		return appendClaim(nil, &claimEntry{seq: p.seq, attempt: attempt, n: 1, flags: flags,
			endpoints: []endpointEntry{{socket: []byte(socket), carrier: 2}}})
	}
	d.send(d.clock, p, false) // the first answer was long on its way
	d.count(p, 1)
	closed := appendStep(nil, &stepEntry{seq: p.seq, n: 1, outcome: OutcomeClosed})
	d.hear(7, claimOf(1, "old", claimJoined), closed)
	if !p.again || p.attempt() != 3 {
		t.Fatalf("again %v, attempt %d", p.again, p.attempt())
	}
	d.count(p, 1)
	d.hear(7, claimOf(2, "old", claimJoined), closed)
	d.hear(7, claimOf(3, "new", 0))
	d.hear(7, confirmation(p))
	if r := p.receipt(); r.Outcome != OutcomeConfirmed || r.Deliveries[0].Socket != (uuid.UUID{7}).String()+".new" {
		t.Errorf("%s: %+v", r, r.Deliveries)
	}
}
