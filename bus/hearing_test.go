package bus

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// lastAsk is the token of the ask that left last.
func (d *desk) lastAsk() (token uint64) {
	for _, p := range d.take().packets {
		if p.Token&askToken != 0 {
			token = p.Token
		}
	}
	return token
}

// An ask that Redis did not take tells of this node: nobody is silent for a while.
func TestAnAskThatFailsIsAGapOfOnesOwn(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	p.deadline = d.clock + time.Minute
	d.hear(7, claimOfOne(p, 1))
	d.pass(askEvery + 2*silentAfter/3)
	d.published(d.clock, relay.Result{Token: d.lastAsk(), Err: relay.ErrLost})
	d.pass(calmAfterGap - tick)
	if p.over {
		t.Fatal("a node is called silent that could not be asked")
	}
	if d.pass(askEvery); !p.over {
		t.Fatal("it is not called silent later")
	}
}

// An ask for which the outbox had no room goes again at once, to that node alone, and has not begun to wait.
func TestAnAskWithoutRoomGoesAgain(t *testing.T) {
	d := newDesk(t)
	p := d.begin(2, All())
	d.hear(7, claimOfOne(p, 1))
	d.hear(8, claimOfOne(p, 1))
	d.pass(askEvery + askEvery/4)
	full := d.peers[uuid.UUID{7}]
	d.take()
	calm := d.calm
	d.published(d.clock, relay.Result{Token: askToken | full.number, Err: relay.ErrFull})
	if full.waiting != 0 || d.peers[uuid.UUID{8}].waiting == 0 || d.calm != calm {
		t.Errorf("waiting %v and %v, calm until %v", full.waiting, d.peers[uuid.UUID{8}].waiting, d.calm)
	}
	d.pass(askEvery / 4)
	if _, asks := d.left(); asks != 1 {
		t.Errorf("%d asks, want one, to the node that was not asked", asks)
	}
}

// A batch that comes twice counts once, also where it is summed up; one of before the node began anew does not count.
func TestABatchCountsOnce(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, All())
	summed := appendClaim(nil, &claimEntry{seq: p.seq, attempt: 1, n: 3, flags: claimSummed})
	one := batch{epoch: 2, number: 2, base: d.clock, entries: confirmation(p)}
	take := func(b batch) {
		if err := d.reports(d.clock, uuid.UUID{7}, []byte("n"), b); err != nil {
			t.Fatal(err)
		}
	}
	take(batch{epoch: 2, number: 1, base: d.clock, entries: summed})
	take(one)
	take(one)
	old := one
	old.epoch, old.number = 1, 3
	take(old)
	early := one
	early.number = 4
	take(early)
	take(early)
	if p.over || p.reached != 1 {
		t.Fatalf("over %v, %d of 3 confirmed, want 1", p.over, p.reached)
	}
	last := one
	last.number = 3
	if take(last); p.outcome != OutcomeConfirmed {
		t.Fatalf("%v, %d of 3 confirmed", p.outcome, p.reached)
	}
}

// A step counts for the endpoints of the node that tells it, and only until they have settled.
func TestAStepOfAnotherNodesEndpoint(t *testing.T) {
	d := newDesk(t)
	p := d.begin(2, All())
	d.hear(8, claimOfOne(p, 1))
	d.hear(7, claimOfOne(p, 1))
	d.hear(8, appendStep(nil, &stepEntry{seq: p.seq, index: 1, n: 1, outcome: OutcomeConfirmed}))
	if p.reached != 0 {
		t.Fatal("a node has confirmed for the endpoint of another")
	}
	d.hear(7, confirmation(p), confirmation(p))
	if p.over || p.reached != 1 {
		t.Fatalf("over %v, %d of 2 confirmed, want 1", p.over, p.reached)
	}
}

func TestAnEndpointIsWrittenOnce(t *testing.T) {
	d := newDesk(t)
	p := d.hand(sendOptions{require: All(), level: Written})
	d.count(p, 1)
	d.clock += time.Millisecond
	d.hear(7, appendClaim(nil, &claimEntry{seq: p.seq, attempt: 1, n: 2, endpoints: []endpointEntry{{carrier: 2}, {carrier: 2}}}))
	for _, o := range []Outcome{OutcomeWritten, OutcomeWritten, OutcomeConfirmed} {
		d.hear(7, appendStep(nil, &stepEntry{seq: p.seq, n: 1, outcome: o}))
	}
	if p.over || p.reached != 1 || p.deliveries[0].Outcome != OutcomeWritten || p.deliveries[0].Settled == 0 {
		t.Fatalf("over %v, %d of 2 written: %+v", p.over, p.reached, p.deliveries)
	}
}

// What a node that is dead had claimed is told at once, also where the request goes on; and nothing waits on the node any more.
func TestADeathIsTold(t *testing.T) {
	d := newDesk(t)
	p := d.hand(sendOptions{require: AtLeast(1), onDelivery: func(Delivery) {}})
	d.count(p, 2)
	d.hear(7, claimOfOne(p, 1))
	d.hear(8, claimOfOne(p, 1))
	d.take()
	d.died(d.clock, uuid.UUID{7})
	if fx := d.take(); fx.first != p || len(p.news) != 1 || p.news[0].Outcome != OutcomeUnknown || p.over {
		t.Errorf("over %v, %+v are news", p.over, p.news)
	}
	if ids := d.waitedOn(); len(ids) != 1 || ids[0] != (uuid.UUID{8}) {
		t.Errorf("%v are waited on", ids)
	}
	d.hear(8, appendStep(nil, &stepEntry{seq: p.seq, n: 1, outcome: OutcomeRejected}))
	if !p.over || len(d.waitedOn()) > 0 {
		t.Errorf("over %v, waiting on %v", p.over, d.waitedOn())
	}
}

// A request that one node alone may answer is over with that node's death, before it has answered; and only that one.
func TestTheOneNodeThatMayAnswerDies(t *testing.T) {
	d := newDesk(t)
	node := uuid.UUID{7}
	bound, other := d.hand(sendOptions{}), d.hand(sendOptions{})
	d.aimAt(bound, node)
	d.died(d.clock, node)
	if !bound.over || bound.outcome != OutcomeUnknown || other.over {
		t.Errorf("over %v, %v; the other %v", bound.over, bound.outcome, other.over)
	}
	again := d.hand(sendOptions{})
	d.aimAt(again, node)
	d.cancel(d.clock, again)
	if ids := d.waitedOn(); len(ids) > 0 {
		t.Errorf("%v are waited on", ids)
	}
}

// waitedOn are the nodes that are looked at, whether they are alive.
func (d *desk) waitedOn() []uuid.UUID { return d.awaited([]uuid.UUID{}) }

// aimAt has one node alone answer a request.
func (d *desk) aimAt(p *pending, node uuid.UUID) { p.aim(d.peer(node)) }

// A new request to a node that owes an answer does not give it more time.
func TestMoreRequestsGiveNoMoreTime(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	p.deadline = d.clock + time.Minute
	d.hear(7, claimOfOne(p, 1))
	for from := d.clock; !p.over && d.clock < from+2*silentAfter; {
		d.pass(time.Second)
		d.aimAt(d.hand(sendOptions{}), uuid.UUID{7})
	}
	if p.outcome != OutcomeUnknown {
		t.Errorf("over %v", p.over)
	}
}

// Nodes on which nothing waits are not asked, but once for what was heard of them; in the end they are forgotten.
func TestIdlePeersAreNotAsked(t *testing.T) {
	d := newDesk(t)
	p := d.begin(1, Any())
	d.pass(heardWithin / 2)
	d.take()
	d.hear(7, claimOfOne(p, 1), confirmation(p))
	d.pass(2 * askEvery)
	if _, asks := d.left(); asks != 1 {
		t.Errorf("%d asks, want one, so that the node may forget what it reported", asks)
	}
	d.pass(time.Minute)
	if _, asks := d.left(); asks != 0 || len(d.peers) != 1 {
		t.Errorf("%d asks of a node on which nothing waits; %d nodes are known", asks, len(d.peers))
	}
	d.clock += forgetPeer
	d.advance(d.clock)
	if len(d.peers) != 0 || !d.idle() {
		t.Errorf("%d nodes are known", len(d.peers))
	}
}
