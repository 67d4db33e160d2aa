package bus

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

func written(p *pending, n int) []byte {
	return appendStep(nil, &stepEntry{seq: p.seq, n: n, outcome: OutcomeWritten})
}

// What the publisher has to decide itself at the deadline is unconfirmed only where it was written, at a node heard within the last
// second.
func TestGivenUp(t *testing.T) {
	for _, c := range []struct {
		name                   string
		summed, written, heard bool
		want                   Outcome
	}{
		{"written, and heard", false, true, true, OutcomeUnconfirmed},
		{"written, and not heard", false, true, false, OutcomeUnknown},
		{"claimed, and heard", false, false, true, OutcomeUnknown},
		{"summed up, written, and heard", true, true, true, OutcomeUnconfirmed},
		{"summed up, written, and not heard", true, true, false, OutcomeUnknown},
		{"summed up, claimed, and heard", true, false, true, OutcomeUnknown},
	} {
		d := newDesk(t)
		p := d.hand(sendOptions{})
		d.count(p, 1)
		claim := claimOfOne(p, 1)
		if c.summed {
			claim = appendClaim(nil, &claimEntry{seq: p.seq, attempt: 1, n: 1, flags: claimSummed})
		}
		if d.hear(7, claim); c.written {
			d.hear(7, written(p, 1))
		}
		d.clock = p.deadline - heardWithin/2
		if c.heard {
			d.hear(7)
		}
		d.calm = p.deadline + time.Second // nobody is called silent
		d.pass(heardWithin/2 + grace + 2*tick)
		if !p.over || p.outcome != c.want || p.counts[c.want] != 1 {
			t.Errorf("%s: over %v, %v, %v", c.name, p.over, p.outcome, p.counts)
		}
	}
}

// Nodes may report until a little after the deadline; where nothing is open any more the request does not wait for that.
func TestGrace(t *testing.T) {
	d := newDesk(t)
	open, few := d.begin(1, Any()), d.hand(sendOptions{require: AtLeast(2)})
	d.count(few, 2)
	d.hear(7, claimOfOne(open, 1), claimOfOne(few, 1), confirmation(few))
	d.calm = open.deadline
	d.passCounting(few, open.deadline-d.clock+2*tick)
	if open.over || !few.over || few.outcome != OutcomeUnknown {
		t.Errorf("the one that is open: %v; the other: %v, %v", open.over, few.over, few.outcome)
	}
	if d.hear(7, confirmation(open)); open.outcome != OutcomeConfirmed {
		t.Errorf("confirmed after the deadline: %v, %v", open.over, open.outcome)
	}
}

// A request that is over stays what it is, when its caller gives up a moment later too.
func TestOverIsOver(t *testing.T) {
	d := newDesk(t)
	p := d.begin(2, Any())
	d.hear(7, claimOfOne(p, 1))
	d.hear(8, claimOfOne(p, 1), confirmation(p))
	counts := p.counts
	d.clock += time.Second
	d.cancel(d.clock, p)
	if p.outcome != OutcomeConfirmed || p.counts != counts || p.elapsed != 0 || p.gaveUp {
		t.Errorf("%v after %v: %v", p.outcome, p.elapsed, p.counts)
	}
}

// While a delivery is open the request waits for it, however long another copy has been silent.
func TestAnOpenDeliveryIsWaitedFor(t *testing.T) {
	d := newDesk(t)
	p := d.begin(2, Any())
	p.deadline = d.clock + time.Minute
	d.hear(7, claimOfOne(p, 1))
	for range 5 {
		d.passCounting(p, time.Second)
		d.hear(7)
	}
	if p.over {
		t.Fatalf("%v, while one may yet confirm", p.outcome)
	}
	if d.hear(7, confirmation(p)); p.outcome != OutcomeConfirmed {
		t.Errorf("%v", p.outcome)
	}
}

// A receipt whose requirement is met counts what is still open by its stage, copies that nobody claimed not at all, and a node once.
func TestCountsByStage(t *testing.T) {
	for _, summed := range []claimFlags{0, claimSummed} {
		d := newDesk(t)
		p := d.begin(3, Any())
		claim := claimEntry{seq: p.seq, attempt: 1, n: 3, flags: summed}
		if summed == 0 {
			claim.endpoints = []endpointEntry{{carrier: 2}, {carrier: 2}, {carrier: 2}}
		}
		d.hear(7, appendClaim(nil, &claim), appendStep(nil, &stepEntry{seq: p.seq, index: 1, n: 1, outcome: OutcomeWritten}))
		d.hear(8, appendClaim(nil, &claimEntry{seq: p.seq, attempt: 1}))
		d.hear(7, confirmation(p))
		want := Counts{OutcomeClaimed: 1, OutcomeWritten: 1, OutcomeConfirmed: 1}
		if summed != 0 {
			want = Counts{OutcomeClaimed: 2, OutcomeConfirmed: 1} // who confirms was written before
		}
		if r := p.receipt(); r.Outcome != OutcomeConfirmed || r.Counts != want || r.Nodes != 1 {
			t.Errorf("summed up %d: %v, %v, %d nodes; want %v", summed, r, r.Counts, r.Nodes, want)
		}
		if ids := d.waitedOn(); len(ids) != 0 {
			t.Errorf("%v are waited on", ids)
		}
	}
}

// Every copy that was not claimed counts as unknown.
func TestUnclaimedCopiesAreCounted(t *testing.T) {
	d := newDesk(t)
	p := d.begin(4, All())
	d.hear(7, claimOfOne(p, 1), confirmation(p))
	d.cancel(d.clock, p)
	if r := p.receipt(); r.Counts[OutcomeUnknown] != 3 || len(r.Deliveries) != 4 {
		t.Errorf("%v, %d deliveries", r.Counts, len(r.Deliveries))
	}
}

// What was summed up at the level written settles with the writing; what was claimed at the level claimed is no failure.
func TestSummedLevels(t *testing.T) {
	for level, o := range map[Level]Outcome{Written: OutcomeWritten, Claimed: OutcomeClaimed} {
		d := newDesk(t)
		p := d.hand(sendOptions{require: All(), level: level})
		d.count(p, 1)
		d.hear(7, appendClaim(nil, &claimEntry{seq: p.seq, attempt: 1, n: 3, flags: claimSummed}))
		if level == Written {
			d.hear(7, written(p, 3))
		}
		if r := p.receipt(); r.Outcome != o || r.Counts[o] != 3 || len(r.Deliveries) != 0 {
			t.Errorf("%v: %v, %v, %+v", level, r, r.Counts, r.Deliveries)
		}
	}
}

// What was not written has no time of writing, and one that it has stays.
func TestTimesOfAStep(t *testing.T) {
	d := newDesk(t)
	p := d.begin(2, All())
	d.clock += 100 * time.Millisecond
	d.hear(7, claimOfOne(p, 1), appendStep(nil, &stepEntry{seq: p.seq, n: 1, outcome: OutcomeDropped, waited: -time.Microsecond}))
	d.hear(8, claimOfOne(p, 1), appendStep(nil, &stepEntry{seq: p.seq, n: 1, outcome: OutcomeWritten}))
	d.clock += 100 * time.Millisecond
	d.hear(8, confirmation(p))
	r := p.receipt()
	if dropped := r.Deliveries[0]; dropped.Written != 0 || dropped.Settled != 100*time.Millisecond {
		t.Errorf("%+v", dropped)
	}
	if confirmed := r.Deliveries[1]; confirmed.Written != 100*time.Millisecond || confirmed.Settled != 200*time.Millisecond {
		t.Errorf("%+v", confirmed)
	}
}

// When the last copy of a request that is over has been answered, or none can come, the floor passes it at once.
func TestTheFloorMovesWithTheLastAnswer(t *testing.T) {
	d := newDesk(t)
	late := d.begin(2, Any())
	d.hear(7, claimOfOne(late, 1), confirmation(late))
	d.hear(8, claimOfOne(late, 1))
	if d.window.floor != late.seq+1 {
		t.Errorf("floor %d, and every copy of %d has been answered", d.window.floor, late.seq)
	}
	uncounted := d.hand(sendOptions{})
	d.hear(7, claimOfOne(uncounted, 1), confirmation(uncounted))
	d.count(uncounted, 1)
	whole := d.begin(1, Any())
	d.hear(7, claimOfOne(whole, 1), confirmation(whole))
	if d.window.floor != whole.seq+1 || len(d.ghosts) != 0 {
		t.Errorf("floor %d after %d; %d are kept", d.window.floor, whole.seq, len(d.ghosts))
	}
}

// An ID that was used for other content ends the request at once.
func TestAConflictEndsTheRequest(t *testing.T) {
	d := newDesk(t)
	p := d.begin(2, Any())
	d.hear(7, appendClaim(nil, &claimEntry{seq: p.seq, attempt: 1, flags: claimConflict}))
	if !p.over || p.err == nil {
		t.Errorf("over %v, %v", p.over, p.err)
	}
}

// IDs sort by time, say what they are, and differ.
func TestNewID(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	seen := make(map[uuid.UUID]bool)
	for range 1000 {
		id := newIDAt(at)
		if sec, nsec := id.Time().UnixTime(); id.Version() != 7 || id.Variant() != uuid.RFC4122 || !time.Unix(sec, nsec).Equal(at) {
			t.Fatalf("%s: version %d, %v, of %v", id, id.Version(), id.Variant(), time.Unix(sec, nsec))
		}
		seen[id] = true
	}
	if len(seen) != 1000 || newIDAt(at.Add(time.Millisecond)).String() < newIDAt(at).String() {
		t.Errorf("%d of 1,000 IDs differ", len(seen))
	}
}
