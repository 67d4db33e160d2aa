package bus

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// A shelf drives the node's machine by hand.
type shelf struct {
	*claims
	clock time.Duration
}

func newShelf() *shelf {
	return &shelf{newClaims(uuid.UUID{2}, "n", "p:", 100), time.Second}
}

// copyOf is one copy of a publisher's request to user:1.
func copyOf(publisher byte, seq uint64, attempt uint32, also flags) *envelope {
	return &envelope{id: uuid.UUID{9}, sender: uuid.UUID{publisher}, seq: seq, floor: 1, attempt: attempt, flags: flagReceipt | also,
		left: time.Second, to: []byte("user:1")}
}

// come has a copy arrive, and tells to how many endpoints it was delivered, and with how many claims it was answered.
func (s *shelf) come(e *envelope, source string) (delivered, claims int) {
	_, delivered = s.arrive(s.clock, e, []byte(source), []*Attachment{{}})
	claims, _ = s.told()
	return delivered, claims
}

// begin has a first copy arrive.
func (s *shelf) begin(e *envelope) *record {
	r, _ := s.arrive(s.clock, e, nil, []*Attachment{{}})
	s.told()
	return r
}

// told counts the entries that are reported by now, of all publishers.
func (s *shelf) told() (claims, steps int) {
	s.claims.advance(s.clock)
	s.seal(s.clock)
	for _, st := range s.streams {
		for _, b := range st.kept {
			for r := (reader{p: b.entries}); len(r.p) > 0; {
				var (
					claim claimEntry
					step  stepEntry
				)
				r.length()
				if entryKind(r.uint()) == entryClaim {
					claim.parse(&r)
					claims++
				} else {
					step.parse(&r)
					steps++
				}
			}
		}
		st.heard(st.last)
		st.flight = 0
	}
	s.take()
	return claims, steps
}

// Each copy is answered, and one alone delivered; below the floor, and without a number, none is.
func TestACopyIsTakenOnce(t *testing.T) {
	s := newShelf()
	for i, c := range []struct {
		e                     *envelope
		source                string
		delivered, claimCount int
	}{
		{copyOf(1, 5, 1, 0), "", 1, 1},
		{copyOf(1, 5, 1, 0), "", 0, 1},
		{copyOf(1, 5, 2, flagRepeat), "", 0, 1},
		{copyOf(1, 5, 1, 0), "p:a:*", 1, 1}, // by a pattern
		{copyOf(3, 5, 1, 0), "", 1, 1},
		{copyOf(1, 0, 1, 0), "", 0, 0},
	} {
		if n, told := s.come(c.e, c.source); n != c.delivered || told != c.claimCount {
			t.Errorf("copy %d: delivered to %d, %d claims", i, n, told)
		}
	}
	e := copyOf(1, 9, 1, 0)
	e.floor = 9
	if n, _ := s.come(e, ""); n != 1 {
		t.Errorf("at the floor: delivered to %d", n)
	}
	if n, told := s.come(copyOf(1, 8, 1, 0), ""); n != 0 || told != 0 {
		t.Errorf("below the floor: delivered to %d, %d claims", n, told)
	}
}

// A second copy of a request that joined another does not have its answers told twice.
func TestACopyJoinsOnce(t *testing.T) {
	s := newShelf()
	r := s.begin(copyOf(1, 5, 1, flagChosen))
	for attempt := range uint32(2) {
		if n, told := s.come(copyOf(3, 7, attempt+1, flagChosen), ""); n != 0 || told != 1 {
			t.Errorf("delivered to %d, %d claims", n, told)
		}
	}
	s.step(s.clock, r, 0, OutcomeConfirmed, memo{})
	if _, steps := s.told(); steps != 2 {
		t.Errorf("%d steps are told, want one to each publisher", steps)
	}
}

// Deliveries that are made again are so once for each request, with all its copies.
func TestACopyIsMadeAgainOnce(t *testing.T) {
	s := newShelf()
	r := s.begin(copyOf(1, 5, 1, flagChosen))
	s.step(s.clock, r, 0, OutcomeRejected, memo{})
	s.told()
	delivered := 0
	for _, e := range []*envelope{copyOf(3, 7, 1, flagChosen), copyOf(3, 7, 2, flagChosen|flagAgain), copyOf(3, 7, 2, flagChosen|flagAgain),
		copyOf(3, 7, 3, flagChosen|flagAgain)} {
		again, n := s.arrive(s.clock, e, nil, []*Attachment{{}})
		delivered += n
		if s.told(); n > 0 && !again.again {
			t.Error("it is not marked")
		}
	}
	if delivered != 1 {
		t.Errorf("delivered again to %d", delivered)
	}
}

// The first end of a delivery is its end, and what comes later counts for nothing.
func TestADeliverySettlesOnce(t *testing.T) {
	s := newShelf()
	r := s.begin(copyOf(1, 5, 1, 0))
	steps := 0
	for _, o := range []Outcome{OutcomeWritten, OutcomeWritten, OutcomeRejected, OutcomeConfirmed, OutcomeWritten} {
		s.step(s.clock, r, 0, o, memo{})
		s.clock += 2 * wroteTick
		_, n := s.told()
		steps += n
	}
	if steps != 2 || r.slots[0].outcome != OutcomeRejected || s.awaited != 0 || s.ignored != 3 {
		t.Errorf("%d steps are told, want written and %v; %d are awaited, %d ignored", steps, r.slots[0].outcome, s.awaited, s.ignored)
	}
}

// Batches that the publisher has are not sent again, nor those that have just left; the others are, a part at a time.
func TestWhatIsResent(t *testing.T) {
	s := newShelf()
	publisher := uuid.UUID{1}
	for seq := range uint64(4) {
		s.arrive(s.clock, copyOf(1, seq+1, 1, 0), nil, []*Attachment{{}})
		s.claims.advance(s.clock)
		s.seal(s.clock)
		s.stream(s.clock, publisher).flight = 0
	}
	ask := func(highest uint64, resend bool) int {
		s.take()
		s.ask(s.clock, publisher, s.stream(s.clock, publisher).epoch, highest, 1, resend)
		return len(s.take().packets) - 1 // and a tally
	}
	if n := ask(0, true); n != 0 {
		t.Errorf("%d batches are sent again that have just left", n)
	}
	s.clock += askAgain
	for i, c := range []struct {
		highest uint64
		resend  bool
		want    int
	}{{0, false, 0}, {1, true, 3}, {1, true, 0}} {
		if n := ask(c.highest, c.resend); n != c.want {
			t.Errorf("ask %d: %d batches are sent again, want %d", i, n, c.want)
		}
	}
	s.clock += askEvery
	if n := ask(3, true); n != 1 {
		t.Errorf("%d batches are sent again, want the last", n)
	}
	if s.stream(s.clock, publisher).lowest() != 4 {
		t.Errorf("the lowest is %d", s.stream(s.clock, publisher).lowest())
	}
}
