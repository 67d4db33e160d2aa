package bus

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// A schedule is a cluster under virtual time, in one goroutine: the two machines of every node over the in-memory relay, with
// requests, delays and faults drawn from a seed, and what the guarantees say held against what the clients did.
type schedule struct {
	t       *testing.T
	seed    uint64
	ends    *Counts // of receipts, over all schedules
	rng     *rand.Rand
	clock   relaytest.Clock
	hub     *relay.Hub
	nodes   []*simNode
	asked   []*simRequest
	byID    map[uuid.UUID]*simRequest
	delay   time.Duration // what a hop takes at most
	noise   float64       // how likely a crossing is to fail
	doubled int           // hops until that of the second copy
	calm    bool          // nobody is struck
	away    bool          // Redis is, at some time
	wrong   string        // the first that was not as it should be
}

const (
	// simSettled is within what nodes know each other, whatever is lost on the way.
	simSettled = 10 * time.Second
	// simRest is within what nothing is kept any more: the longest request, and what nodes remember after it.
	simRest = 15 * time.Second
	// simEcho is for how long what was sent may be under way.
	simEcho = 500 * time.Millisecond
	// simLate is below what a crossing that fails is late.
	simLate = 400 * time.Millisecond
)

func newSchedule(t *testing.T, seed uint64, ends *Counts, steps []simStep) *schedule {
	s := &schedule{t: t, ends: ends, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), delay: 100 * time.Microsecond, calm: true,
		byID: make(map[uuid.UUID]*simRequest)}
	merge := false
	for _, st := range steps {
		switch st.What {
		case simSlow:
			s.delay = st.Lasting
		case simLossy:
			s.noise = st.Odds
		case simMerging:
			merge = true
		case simAsks:
		default:
			s.calm, s.away = false, s.away || st.What == simAway
		}
	}
	s.hub = relay.NewHub(&relay.HubOptions{After: s.clock.After, Merge: merge, Fault: s.fault, Delay: s.hop})
	for i := range 3 {
		s.start("node-" + strconv.Itoa(i))
	}
	return s
}

// hop is how long one takes. What is doubled comes a second time a while later.
func (s *schedule) hop() time.Duration {
	most := s.delay
	if s.doubled > 0 {
		if s.doubled--; s.doubled == 0 {
			most = simLate
		}
	}
	return time.Duration(s.rng.Int64N(int64(most)))
}

func (s *schedule) fault(c relay.Crossing) relay.Fault {
	if held := s.heldUp(c); held > 0 {
		return relay.Fault{Delay: held}
	}
	if s.noise == 0 || s.rng.Float64() > s.noise {
		return relay.Fault{}
	}
	switch c.Hop {
	case relay.HopIn:
		if s.rng.IntN(2) == 0 {
			s.doubled = 2
			return relay.Fault{Copies: 1}
		}
		return relay.Fault{Err: relay.ErrLost}
	case relay.HopCount:
		return relay.Fault{Err: relay.ErrLost}
	case relay.HopOut:
	}
	return relay.Fault{Delay: time.Duration(s.rng.Int64N(int64(simLate)))}
}

// heldUp is for how long a packet is held up on its way to Redis.
func (s *schedule) heldUp(c relay.Crossing) time.Duration {
	if c.Hop != relay.HopOut {
		return 0
	}
	for _, n := range s.nodes {
		if n.idText == c.Node {
			return n.held - n.now()
		}
	}
	return 0
}

// pass lets time pass.
func (s *schedule) pass(d time.Duration) {
	for end := s.clock.Now() + d; s.clock.StepBefore(end); {
		for _, n := range s.nodes {
			n.look()
		}
	}
}

// passUntil lets time pass until all nodes that live are as wanted, and so much of it at most.
func (s *schedule) passUntil(most time.Duration, wanted func(*simNode) bool) {
	const look = 50 * time.Millisecond
	unlike := func(n *simNode) bool { return !n.dead && !wanted(n) }
	for end := s.clock.Now() + most; s.clock.Now() < end && slices.ContainsFunc(s.nodes, unlike); {
		s.pass(look)
	}
}

// play plays the steps to their end, and returns what was wrong.
func (s *schedule) play(steps []simStep) string {
	for i := range 6 {
		s.nodes[i%3].connect(User(strconv.Itoa(i%4)), Group("g"), Everyone())
	}
	s.passUntil(simSettled, func(n *simNode) bool { return n.Ready() == nil && len(n.members.table) == 2 })
	last := time.Duration(0)
	for _, st := range steps {
		s.clock.After(st.At, func() { s.befall(st) })
		last = max(last, st.At+st.Lasting)
	}
	s.pass(last)
	s.passUntil(simRest, (*simNode).rests)
	s.pass(simEcho)
	s.passUntil(simRest, (*simNode).rests)
	for _, r := range s.asked {
		s.judge(r)
	}
	for _, n := range s.nodes {
		s.judgeRest(n)
		n.end()
	}
	return s.wrong
}

func (s *schedule) failf(format string, args ...any) {
	if s.wrong == "" {
		s.wrong = fmt.Sprintf("at %v: ", s.clock.Now()) + fmt.Sprintf(format, args...)
	}
}

// TestSchedules plays many schedules. One that fails is shrunk and kept; ACKBUS_SEED plays it again.
func TestSchedules(t *testing.T) {
	var ends Counts
	relaytest.Schedules(t, "ACKBUS_SEED", relaytest.Many(3000, 800), drawSimSteps, func(seed uint64, steps []simStep) string {
		return newSchedule(t, seed, &ends, steps).play(steps)
	})
	text, _ := json.Marshal(ends)
	t.Logf("what came of the requests: %s", text)
}

// What is played twice goes the same way twice: otherwise nothing could be shrunk, and nothing that is kept would mean anything.
func TestSchedulesHaveOneCourse(t *testing.T) {
	for seed := range uint64(40) {
		var courses [2]string
		for i := range courses {
			var ends Counts
			s := newSchedule(t, seed, &ends, drawSimSteps(seed))
			wrong := s.play(drawSimSteps(seed))
			courses[i] = fmt.Sprint(wrong, s.clock.Now(), ends, s.rng.Uint64())
		}
		if courses[0] != courses[1] {
			t.Errorf("seed %d: %s, and then %s", seed, courses[0], courses[1])
		}
	}
}
