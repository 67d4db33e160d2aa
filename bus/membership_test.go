package bus

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// A register drives the machine of the members by hand.
type register struct {
	*members
	numbers map[byte]uint64
}

func newRegister(observer bool) *register {
	return &register{newMembers(uuid.UUID{1}, "a", "p:", observer), make(map[byte]uint64)}
}

// hear has a member announce itself.
func (r *register) hear(now time.Duration, node byte, flags memberFlags) {
	r.numbers[node]++
	r.announced(now, &control{node: uuid.UUID{node}, name: []byte{'n', node}, member: announcement{number: r.numbers[node], flags: flags}})
}

// A newcomer is settled once as many have answered as heard its roll call, and not before it knows how many that are; without them
// after a second.
func TestSettling(t *testing.T) {
	r := newRegister(false)
	r.start(0)
	r.hear(0, 7, memberAnswers)
	if r.settled {
		t.Fatal("settled before it knows how many heard the roll call")
	}
	r.rolled(0, relay.Result{Err: relay.ErrLost, Count: 1})
	if r.settled {
		t.Fatal("settled on a roll call that may not have been heard")
	}
	r.rolled(0, relay.Result{Count: 3})
	r.hear(0, 7, 0)
	if r.settled {
		t.Fatal("settled without the answer of one")
	}
	r.hear(0, 8, memberAnswers)
	if !r.settled || r.me.flags&memberSettled == 0 {
		t.Fatal("all have answered, one has announced itself since")
	}
	late := newRegister(false)
	late.start(0)
	late.advance(settleWithin - 1)
	if late.settled {
		t.Fatal("settled without any answer")
	}
	if late.advance(settleWithin); !late.settled {
		t.Fatal("not settled after a second")
	}
}

// Holders are the members that hold beacons: too few would make nobody of somebody, too many would leave everything unknown.
func TestHolders(t *testing.T) {
	for _, observer := range []bool{false, true} {
		r := newRegister(observer)
		r.hear(0, 7, 0)
		r.hear(0, 8, memberObserver)
		want := 2
		if observer {
			want = 1
		}
		if got := r.holders(); got != want {
			t.Errorf("observer %v: %d holders, want %d", observer, got, want)
		}
	}
}

// Only members that were not heard for long are looked at, unless all are to be, and one that speaks again is not.
func TestDoubtfulMembers(t *testing.T) {
	r := newRegister(false)
	r.hear(0, 7, 0)
	r.hear(3*time.Second, 8, 0)
	r.advance(4 * time.Second)
	if ids := r.doubtful(nil, false); len(ids) != 1 || ids[0] != (uuid.UUID{7}) {
		t.Errorf("%v are looked at, want the one that is silent", ids)
	}
	if ids := r.doubtful(nil, true); len(ids) != 2 {
		t.Errorf("%v are looked at, want all", ids)
	}
	r.hear(4*time.Second, 7, 0)
	if ids := r.doubtful(nil, false); len(ids) != 0 {
		t.Errorf("%v are looked at", ids)
	}
}

// After a gap of one's own nobody is silent, or dead, for what may have been missed; and what is known is whole only when everybody has
// had the time to announce itself.
func TestAGapGivesMembersTime(t *testing.T) {
	r := newRegister(false)
	r.start(0)
	r.rolled(0, relay.Result{Count: 2})
	if r.heardAll(0) {
		t.Error("it knows everybody before it is settled")
	}
	r.hear(0, 7, memberAnswers)
	if !r.heardAll(0) {
		t.Error("it does not know everybody though all have answered, and there was no gap")
	}
	r.advance(4 * time.Second)
	r.gap(5 * time.Second)
	r.advance(8 * time.Second)
	r.died(8*time.Second, uuid.UUID{7})
	if r.table[uuid.UUID{7}] == nil || len(r.doubtful(nil, false)) != 0 {
		t.Error("a member is silent, and forgotten, for what was missed in the gap")
	}
	for since, want := range map[time.Duration]bool{0: false, announceEvery: false, announceEvery + announceEvery/2: true} {
		if got := r.heardAll(5*time.Second + since); got != want {
			t.Errorf("%v after the gap it knows everybody: %v", since, got)
		}
	}
}

// What the others may need to know anew has a count, and what they know already has not.
func TestChangesOfMembership(t *testing.T) {
	r := newRegister(false)
	for i, c := range []struct {
		flags   memberFlags
		changes uint64
	}{{0, 1}, {0, 1}, {memberSettled, 1}, {memberDraining, 2}, {memberDraining, 2}, {0, 3}, {memberLeaving, 4}, {memberLeaving, 4}} {
		if r.hear(0, 7, c.flags); r.changes != c.changes {
			t.Errorf("announcement %d: %d changes, want %d", i, r.changes, c.changes)
		}
	}
}

// A node is announced about once a second, answers the roll calls of others, and not its own.
func TestAnnouncements(t *testing.T) {
	r := newRegister(false)
	r.start(0)
	for now := time.Duration(0); now < 10*time.Second; now += 100 * time.Millisecond {
		r.advance(now)
	}
	if n := len(r.packets) - 1; n < 9 || n > 20 {
		t.Errorf("announced %d times in 10 s", n)
	}
	r.packets = nil
	r.called(r.self)
	if r.called(uuid.UUID{7}); len(r.packets) != 1 || r.packets[0].Channel != replyChannel("p:", uuid.UUID{7}) {
		t.Errorf("%d answers", len(r.packets))
	}
}
