package bus

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// lose has nothing heard of what became of the latest attempt.
func (d *desk) lose(p *pending) {
	d.published(d.clock, relay.Result{Token: token(p.seq, p.attempt()), Err: relay.ErrLost})
}

func rejection(p *pending) []byte {
	return appendStep(nil, &stepEntry{seq: p.seq, n: 1, outcome: OutcomeRejected, waited: -time.Microsecond})
}

// All are confirmed only once every copy of the first attempt has been answered, whoever answered a later one.
func TestAllMeansEveryCopyOfTheFirstAttempt(t *testing.T) {
	d := newDesk(t)
	p := d.begin(2, All())
	d.send(d.clock, p, false)
	d.count(p, 1)
	d.hear(7, claimOfOne(p, 2), confirmation(p))
	if p.outcome == OutcomeConfirmed {
		t.Fatal("confirmed by all, and one copy of the first attempt has not been claimed")
	}
	if !p.over || p.outcome != OutcomeUnknown || p.counts[OutcomeUnknown] != 1 {
		t.Fatalf("over %v, %v, %v", p.over, p.outcome, p.counts)
	}
	more := d.begin(1, All())
	d.send(d.clock, more, false)
	d.count(more, 2) // somebody came in between
	if d.hear(7, claimOfOne(more, 1), confirmation(more)); more.outcome != OutcomeConfirmed {
		t.Fatalf("over %v, %v", more.over, more.outcome)
	}
}

// Who got an attempt of which no count came nobody knows: even with a proof that nobody is there now, nobody may not be said. Where
// somebody was there, it takes nothing away.
func TestALostAttemptLeavesDoubt(t *testing.T) {
	d := newDesk(t)
	p := d.hand(sendOptions{})
	d.lose(p)
	d.send(d.clock, p, true)
	if d.guarded(p, 0, 2); !p.over || p.outcome != OutcomeUnknown {
		t.Errorf("over %v, %v", p.over, p.outcome)
	}
	few := d.hand(sendOptions{require: AtLeast(2)})
	d.lose(few)
	d.send(d.clock, few, false)
	d.count(few, 1)
	if d.hear(7, claimOfOne(few, 2), confirmation(few)); !few.over || few.outcome != OutcomeTooFew {
		t.Errorf("over %v, %v", few.over, few.outcome)
	}
}

// Nobody is proven by a guarded attempt alone, while every lane of this node stands, and the members are known.
func TestWhatProvesNobody(t *testing.T) {
	for _, c := range []struct {
		name           string
		guard, settled bool
		fallen         int
		beacons        int
		want           bool
	}{
		{"all stand", true, true, 0, 2, true},
		{"not guarded", false, true, 0, 2, false},
		{"members are not known", true, false, 0, 2, false},
		{"a lane of one's own is down", true, true, 1, 2, false},
		{"one does not stand", true, true, 0, 1, false},
	} {
		d := newDesk(t)
		d.membership(d.clock, 2, c.settled)
		p := d.hand(sendOptions{})
		if c.guard {
			d.count(p, 0) // a guarded one follows
		}
		d.fallen = c.fallen
		d.guarded(p, 0, c.beacons)
		if p.over != c.want || c.want && p.outcome != OutcomeNoReceiver {
			t.Errorf("%s: over %v, %v", c.name, p.over, p.outcome)
		}
		if doubt := c.guard && !c.want; (d.suspects > d.clock) != doubt {
			t.Errorf("%s: members are looked at until %v, now is %v", c.name, d.suspects, d.clock)
		}
	}
}

// FailFast ends a request only when it knows that the requirement can't be met: neither while a copy has not been claimed, nor because
// nobody has been found yet.
func TestFailFastWaitsForEveryCopy(t *testing.T) {
	for _, require := range []Requirement{Any(), AtLeast(2)} {
		d := newDesk(t)
		nobody := d.hand(sendOptions{require: require, failFast: true})
		d.count(nobody, 0)
		if d.guarded(nobody, 0, 1); nobody.over {
			t.Errorf("%v: %v without a proof", require, nobody.outcome)
		}
		p := d.hand(sendOptions{require: require, failFast: true})
		d.count(p, 3)
		d.hear(7, claimOfOne(p, 1), rejection(p))
		d.hear(8, claimOfOne(p, 1))
		if p.over {
			t.Errorf("%v: %v while a copy has not been claimed", require, p.outcome)
		}
		d.hear(9, claimOfOne(p, 1), confirmation(p))
		d.hear(8, confirmation(p))
		if p.outcome != OutcomeConfirmed {
			t.Errorf("%v: %v", require, p.outcome)
		}
	}
}

// The count of an attempt before is not taken for that of the latest.
func TestAnOldCountIsNotTheLatest(t *testing.T) {
	d := newDesk(t)
	p := d.hand(sendOptions{})
	d.send(d.clock, p, true)
	d.published(d.clock, relay.Result{Token: token(p.seq, 1), Beacon: 2})
	if p.over || p.latest().state != tryOpen {
		t.Errorf("over %v, %v", p.over, p.outcome)
	}
}

// The claim of an attempt that was never made counts for none.
func TestAForgedAttempt(t *testing.T) {
	d := newDesk(t)
	p := d.begin(2, Any())
	if d.hear(7, claimOfOne(p, 1000)); p.tries[0].claims != 0 || p.expected != 1 {
		t.Errorf("%+v", p.tries)
	}
}

// When the members change, who found nobody asks again at once, and only who did.
func TestAChangeOfMembersProvesNobody(t *testing.T) {
	d := newDesk(t)
	open := d.hand(sendOptions{})
	d.count(open, 0) // its guarded attempt has left
	awaiting := d.begin(1, Any())
	d.send(d.clock, awaiting, true)
	d.guarded(awaiting, 1, 1)
	claimed := d.begin(1, Any())
	d.send(d.clock, claimed, true)
	d.guarded(claimed, 1, 1)
	d.hear(7, claimOfOne(claimed, 2))
	p := d.begin(0, Any())
	d.guarded(p, 0, 1)
	d.take()
	d.membership(d.clock, 2, true)
	if attempts, _ := d.left(); attempts != 0 {
		t.Fatalf("%d attempts, and nothing has changed", attempts)
	}
	d.membership(d.clock, 3, false)
	if attempts, _ := d.left(); attempts != 0 {
		t.Fatalf("%d attempts, while the members are not known", attempts)
	}
	d.membership(d.clock, 1, true)
	if attempts, _ := d.left(); attempts != 1 || p.latest().state != tryOpen {
		t.Fatalf("%d attempts, want one, of the request that found nobody", attempts)
	}
	if d.guarded(p, 0, 1); p.outcome != OutcomeNoReceiver || open.over {
		t.Errorf("over %v, %v", p.over, p.outcome)
	}
}

// What all have claimed is not sent again, whatever is awaited; and what proved nothing only when its time has come.
func TestWhatIsSentAgain(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	d.hear(7, claimOfOne(p, 1))
	d.take()
	for range 3 {
		d.pass(time.Second)
		d.hear(7)
	}
	if attempts, _ := d.left(); attempts != 0 {
		t.Errorf("%d attempts after it was claimed", attempts)
	}
	nobody := d.begin(0, Any())
	d.guarded(nobody, 0, 1)
	d.take()
	if d.pass(resendFirst - tick); nobody.latest().state == tryOpen {
		t.Error("sent again at once")
	}
	if d.pass(resendMost); nobody.latest().state != tryOpen {
		t.Error("not sent again")
	}
	few := d.begin(2, All())
	d.hear(7, claimOfOne(few, 1))
	d.window.floor = few.seq + 1
	d.take()
	if d.pass(2 * resendMost); few.attempt() != 1 {
		t.Error("sent again below the floor: nodes have forgotten it")
	}
}

// Deliveries under an ID that had not met the requirement are made again once, also where the second answer belongs to another's request.
func TestMadeAgainOnce(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	joined := func(attempt uint32) []byte {
		return appendClaim(nil, &claimEntry{seq: p.seq, attempt: attempt, n: 1, flags: claimJoined,
			endpoints: []endpointEntry{{carrier: 2}}})
	}
	d.hear(7, joined(1), rejection(p))
	if !p.again || p.over {
		t.Fatalf("again %v, over %v", p.again, p.over)
	}
	if d.peers[uuid.UUID{7}].open != 0 {
		t.Error("what was made again is still waited for")
	}
	d.count(p, 1)
	if d.hear(7, joined(2), rejection(p)); p.outcome != OutcomeRejected {
		t.Errorf("over %v, %v, attempt %d", p.over, p.outcome, p.attempt())
	}
}

// What a node has counted and not yet reported when deliveries are to be made again is told once, with what it counted before.
func TestWhatIsCountedWhenToldAgainCountsOnce(t *testing.T) {
	c := newClaims(uuid.UUID{2}, "n", "p:", 100)
	now := time.Second
	come := func(attempt uint32, more flags) *record {
		r, _ := c.arrive(now, &envelope{id: uuid.UUID{7}, sender: uuid.UUID{1}, seq: 5, floor: 1, attempt: attempt, left: time.Second,
			flags: flagReceipt | flagChosen | flagSummary | more, to: []byte("group:g")}, nil, []*Attachment{{}, {}})
		return r
	}
	r := come(1, 0)
	c.seal(now) // on its way: what comes now waits
	c.step(now, r, 0, OutcomeConfirmed, memo{})
	come(2, flagAgain)
	s := c.stream(now, uuid.UUID{1})
	c.published(relay.Result{Token: streamToken | s.number})
	c.seal(now)
	claims, confirmed := 0, 0
	for _, b := range s.kept {
		for rest := (reader{p: b.entries}); len(rest.p) > 0; {
			var claim claimEntry
			var step stepEntry
			rest.length()
			if entryKind(rest.uint()) == entryClaim {
				claim.parse(&rest)
				claims, confirmed = claims+1, 0 // the publisher begins to count anew
			} else if step.parse(&rest); step.outcome == OutcomeConfirmed {
				confirmed += step.n
			}
			if rest.err != nil {
				t.Fatal(rest.err)
			}
		}
	}
	if claims != 2 || confirmed != 1 {
		t.Errorf("%d claims, and %d confirmed of one", claims, confirmed)
	}
}
