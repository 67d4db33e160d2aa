package bus

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Dead is whom Redis held no connection of in every look over deadAfter, one's own view of Redis being whole.
func TestDeadInEveryLook(t *testing.T) {
	a, b := uuid.UUID{1}, uuid.UUID{2}
	l := newLiveness()
	look := func(now time.Duration, counts ...int) []uuid.UUID { return l.looked(now, []uuid.UUID{a, b}, counts) }
	now := time.Second
	if dead := look(now, 0, 0); len(dead) != 0 {
		t.Errorf("dead at the first look: %v", dead)
	}
	look(now+deadAfter/2, 0, 1)
	look(now+deadAfter/2+lookEvery, 0, 0)
	if dead := look(now+deadAfter-1, 0, 0); len(dead) != 0 {
		t.Errorf("dead too soon: %v", dead)
	}
	if dead := look(now+deadAfter, 0, 0); !slices.Equal(dead, []uuid.UUID{a}) {
		t.Errorf("dead: %v, want the one that was gone all the time", dead)
	}
	l.reset()
	if dead := look(now+2*deadAfter, 0, 0); len(dead) != 0 {
		t.Errorf("dead by what was seen before a gap: %v", dead)
	}
}

// While a lane of this node is down, and for a while after, a look would tell of this node. While one is suspected all are looked at.
func TestWhomToLookAt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		b := settled(t, f.hub(), 2)[0]
		change := func(f func(now time.Duration)) {
			b.requestsMu.Lock()
			defer b.requestsMu.Unlock()
			f(b.now())
		}
		pass(calmAfterGap)
		if ids, calm := b.watched(); calm || len(ids) != 0 {
			t.Errorf("%v are looked at, calm %v", ids, calm)
		}
		change(func(now time.Duration) { b.requests.suspects = now + suspectFor })
		if ids, _ := b.watched(); len(ids) != 1 {
			t.Errorf("%v are looked at, want the other member", ids)
		}
		change(func(now time.Duration) { b.requests.lane(now, false) })
		pass(2 * calmAfterGap)
		if _, calm := b.watched(); !calm {
			t.Error("others are looked at while a lane is down")
		}
		change(func(now time.Duration) { b.requests.lane(now, true) })
		if _, calm := b.watched(); !calm {
			t.Error("others are looked at right after a gap")
		}
		pass(calmAfterGap)
		if _, calm := b.watched(); calm {
			t.Error("others are not looked at long after a gap")
		}
	})
}
