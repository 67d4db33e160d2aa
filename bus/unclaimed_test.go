package bus

import (
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// guarded has the latest attempt counted together with the beacons.
func (d *desk) guarded(p *pending, n, beacons int) {
	d.published(d.clock, relay.Result{Token: token(p.seq, p.attempt()), Count: n, Beacon: beacons})
}

// pass lets time go on.
func (d *desk) pass(t time.Duration) {
	for end := d.clock + t; d.clock < end; d.clock += tick {
		d.advance(d.clock)
	}
}

// movedOn is a request whose first attempt found nobody before every member stood, whose second reached a node that says nothing
// yet, and whose third finds nobody while all stand.
func movedOn(t *testing.T) (*desk, *pending) {
	t.Helper()
	d := newDesk(t)
	p := d.begin(0, Any())
	p.deadline = d.clock + time.Minute
	d.guarded(p, 0, 1)
	for range 2 {
		d.pass(resendMost)
		if n := min(1, len(p.tries)-2); n == 1 && p.tries[2].state == tryOpen {
			d.guarded(p, 1, 1)
		}
	}
	for p.latest().state != tryOpen {
		d.pass(tick)
	}
	d.guarded(p, 0, 2)
	return d, p
}

// Nobody is nobody only once every copy that was counted is accounted for, also one of a later attempt.
func TestNobodyIsNotSaidOverAnUnansweredCopy(t *testing.T) {
	d, p := movedOn(t)
	if p.over {
		t.Fatalf("%v, while a copy has not been claimed: %+v", p.outcome, p.tries)
	}
	d.hear(7, claimOfOne(p, 3), confirmation(p))
	if !p.over || p.outcome != OutcomeConfirmed {
		t.Fatalf("over %v, %v", p.over, p.outcome)
	}
}

// A copy that stays unanswered makes the outcome unknown, and no request waits for it longer than a copy can be under way.
func TestAnUnansweredCopyIsUnknown(t *testing.T) {
	d, p := movedOn(t)
	began := d.clock
	for !p.over && d.clock < began+10*time.Second {
		d.pass(tick)
		if p.latest().state == tryOpen {
			d.guarded(p, 0, 2)
		}
	}
	if took := d.clock - began; !p.over || p.outcome != OutcomeUnknown || took > lateness+resendMost {
		t.Fatalf("over %v, %v after %v", p.over, p.outcome, took)
	}
}

// The beacons have to be those of every member that was one when they were counted, and of every one that is now: who left meanwhile
// may have stood in for another whose lane was down.
func TestProofHoldsForBothMoments(t *testing.T) {
	for _, c := range []struct{ before, after, beacons int }{{3, 2, 2}, {2, 3, 2}} {
		d := newDesk(t)
		d.membership(d.clock, c.before, true)
		p := d.begin(0, Any())
		d.membership(d.clock, c.after, true)
		d.guarded(p, 0, c.beacons)
		if p.over {
			t.Errorf("%+v: %v", c, p.outcome)
		}
		for p.latest().state != tryOpen {
			d.pass(tick)
		}
		d.guarded(p, 0, max(c.before, c.after))
		if !p.over || p.outcome != OutcomeNoReceiver {
			t.Errorf("%+v: over %v, %v", c, p.over, p.outcome)
		}
	}
}

// deserted is a request whose copies are counted, and of whose receiver nothing is heard.
func deserted(t *testing.T) (*desk, *pending) {
	t.Helper()
	d := newDesk(t)
	p := d.begin(1, Any())
	p.deadline = d.clock + time.Minute
	return d, p
}

// passCounting lets time go on, and has Redis count each attempt.
func (d *desk) passCounting(p *pending, t time.Duration) {
	for end := d.clock + t; !p.over && d.clock < end; d.pass(tick) {
		if p.latest().state == tryOpen {
			d.guarded(p, 1, 1)
		}
	}
}

// A node that stopped before its claim left has no name here; but nobody waits for it longer than for one that had claimed.
func TestANodeThatNeverClaimsIsNotWaitedFor(t *testing.T) {
	d, p := deserted(t)
	d.passCounting(p, 10*time.Second)
	if !p.over || p.outcome != OutcomeUnknown || p.elapsed < lateness || p.elapsed > lateness+4*tick {
		t.Fatalf("over %v, %v after %v; want unknown after %v", p.over, p.outcome, p.elapsed, lateness)
	}
}

// Where this node itself may have missed the answer, or Redis says nothing, the request goes on.
func TestANodeIsWaitedForWhereTheFaultMayBeOurs(t *testing.T) {
	for name, disturb := range map[string]func(d *desk, p *pending){
		"a lane is down":   func(d *desk, _ *pending) { d.lane(d.clock, false); d.calm = 0 },
		"a lane came back": func(d *desk, _ *pending) { d.lane(d.clock, false); d.lane(d.clock, true) },
		"a stall":          func(d *desk, p *pending) { d.clock = p.began + 20*time.Second },
		"no count": func(d *desk, p *pending) {
			for p.latest().state != tryOpen {
				d.pass(tick)
			}
			d.pass(resendMost)
			d.lane(d.clock, false) // no attempt after it is counted to the end
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, p := deserted(t)
			d.passCounting(p, lateness-resendMost)
			disturb(d, p)
			d.passCounting(p, max(p.began+lateness-d.clock, 0)+2*tick)
			if p.over {
				t.Fatalf("%v after %v", p.outcome, p.elapsed)
			}
			if d.hear(7, claimOfOne(p, p.attempt()), confirmation(p)); p.outcome != OutcomeConfirmed {
				t.Fatalf("over %v, %v after its answer", p.over, p.outcome)
			}
		})
	}
}
