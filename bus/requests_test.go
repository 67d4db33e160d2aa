package bus

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// A desk drives the publisher's machine by hand.
type desk struct {
	*requests
	t     *testing.T
	clock time.Duration
	batch map[uuid.UUID]uint64 // the last batch of each node
}

func newDesk(t *testing.T) *desk {
	m := newRequests(uuid.UUID{1}, "p:")
	m.membership(time.Second, 2, true)
	return &desk{requests: m, t: t, clock: time.Second, batch: make(map[uuid.UUID]uint64)}
}

// begin starts a request to everyone and has its first attempt counted.
func (d *desk) begin(count int, require Requirement) *pending {
	p := d.hand(sendOptions{require: require})
	d.count(p, count)
	return p
}

// hand starts a request to everyone, which has 5 s.
func (d *desk) hand(opts sendOptions) *pending {
	p := &pending{wake: make(chan struct{}, 1),
		request: request{to: Everyone(), channel: "p:a:all", deadline: d.clock + 5*time.Second, opts: opts}}
	p.timer.owner = p
	d.start(d.clock, p)
	return p
}

// left tells what has left since it was asked last: how many attempts, and how many asks.
func (d *desk) left() (attempts, asks int) {
	for _, p := range d.take().packets {
		switch {
		case p.Token&askToken != 0:
			asks++
		case p.Token != 0:
			attempts++
		}
	}
	return attempts, asks
}

func (d *desk) count(p *pending, n int) {
	d.published(d.clock, relay.Result{Token: token(p.seq, p.attempt()), Count: n})
}

// hear has a node report entries, in its next batch.
func (d *desk) hear(node byte, entries ...[]byte) {
	d.t.Helper()
	id := uuid.UUID{node}
	d.batch[id]++
	b := batch{epoch: 1, number: d.batch[id], base: d.clock}
	for _, e := range entries {
		b.entries = append(b.entries, e...)
	}
	if err := d.reports(d.clock, id, []byte{'n', node}, b); err != nil {
		d.t.Fatal(err)
	}
}

func claimOfOne(p *pending, attempt uint32) []byte {
	return appendClaim(nil, &claimEntry{seq: p.seq, attempt: attempt, n: 1, endpoints: []endpointEntry{{socket: []byte("1"), carrier: 2}}})
}

func confirmation(p *pending) []byte {
	return appendStep(nil, &stepEntry{seq: p.seq, n: 1, outcome: OutcomeConfirmed})
}

func TestADuplicateCopyDoesNotCompleteAnAttempt(t *testing.T) {
	d := newDesk(t)
	p := d.begin(2, All())
	d.hear(7, claimOfOne(p, 1), confirmation(p))
	d.hear(7, claimOfOne(p, 1))
	if p.complete || p.over {
		t.Fatalf("one node answered twice, and two copies count as answered: %+v", p.tries)
	}
	d.hear(8, claimOfOne(p, 1), confirmation(p))
	if !p.over || p.outcome != OutcomeConfirmed || p.expected != 2 {
		t.Fatalf("over %v, %v, %d expected", p.over, p.outcome, p.expected)
	}
}

func TestTheFloorStaysBelowCopiesUnderWay(t *testing.T) {
	d := newDesk(t)
	p := d.begin(2, Any())
	d.hear(7, claimOfOne(p, 1), confirmation(p))
	if !p.over {
		t.Fatal("any is met by one")
	}
	if d.window.floor > p.seq {
		t.Fatal("the second copy has not been claimed, and the floor is above it: its node would discard it")
	}
	d.clock += lateness + time.Second
	d.advance(d.clock)
	if d.window.floor != p.seq+1 {
		t.Fatalf("floor %d long after %d has ended", d.window.floor, p.seq)
	}
}

func TestReportsOutOfOrderWaitForTheMissingOne(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	late := claimOfOne(p, 1)
	d.batch[uuid.UUID{7}]++ // batch 1, with the claim, is under way
	d.hear(7, confirmation(p))
	if p.over || len(p.claims) > 0 {
		t.Fatal("a batch was taken before the one that came before it")
	}
	asks := d.take().packets
	if len(asks) != 1 || asks[0].Token&askToken == 0 {
		t.Fatalf("a missing batch is asked for at once: %+v", asks)
	}
	if err := d.reports(d.clock, uuid.UUID{7}, []byte("n"), batch{epoch: 1, number: 1, base: d.clock, entries: late}); err != nil {
		t.Fatal(err)
	}
	if !p.over || p.outcome != OutcomeConfirmed {
		t.Fatalf("over %v, %v", p.over, p.outcome)
	}
}

func TestReportsThatAreLostForGoodAreUnknown(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	d.hear(7, claimOfOne(p, 1), appendStep(nil, &stepEntry{seq: p.seq, n: 1, outcome: OutcomeWritten}))
	d.tally(d.clock, uuid.UUID{7}, 1, 3, 2)
	if !p.over || p.outcome != OutcomeUnknown {
		t.Fatalf("batch 2 is gone, and may have confirmed: over %v, %v", p.over, p.outcome)
	}
}

func TestANodeThatDoesNotAnswerIsSilent(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	p.deadline = d.clock + time.Minute
	d.hear(7, claimOfOne(p, 1))
	from := d.clock
	for !p.over && d.clock < from+10*time.Second {
		d.clock += tick
		d.advance(d.clock)
	}
	if took := d.clock - from; p.outcome != OutcomeUnknown || took > 3100*time.Millisecond {
		t.Fatalf("%v after %v", p.outcome, took)
	}
}

// While this node could not hear, and for a while after, nobody is silent; who does not answer then is.
func TestAGapOfOnesOwnIsNobodysSilence(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	p.deadline = d.clock + time.Minute
	d.hear(7, claimOfOne(p, 1))
	d.lane(d.clock, false)
	d.pass(2 * (calmAfterGap + silentAfter))
	if p.over {
		t.Fatal("a node is called silent while this one could not hear it")
	}
	d.lane(d.clock, true)
	d.pass(calmAfterGap - tick)
	if p.over {
		t.Fatal("a node is called silent right after a gap of one's own")
	}
	d.pass(askEvery)
	if p.outcome != OutcomeUnknown {
		t.Fatalf("%v after a gap of one's own", p.outcome)
	}
}

func TestTheWindowIsBounded(t *testing.T) {
	w := newWindow()
	first := w.take()
	for range windowSize + 10 {
		w.release(w.take())
	}
	if w.floor <= first || w.next-w.floor > windowSize {
		t.Fatalf("floor %d, next %d", w.floor, w.next)
	}
}
