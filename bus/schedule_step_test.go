package bus

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// A simEvent is what a step of a schedule brings about.
type simEvent string

const (
	simAsks    simEvent = "asks"
	simKilled  simEvent = "is killed"
	simStopped simEvent = "is stopped"
	simCut     simEvent = "is cut off"
	simFell    simEvent = "loses a lane"
	simDeaf    simEvent = "goes deaf"
	simHeld    simEvent = "is held up" // on the way to Redis
	simCloses  simEvent = "closes a socket"
	simComes   simEvent = "another comes"
	simAway    simEvent = "Redis is away"

	// What holds from the beginning.
	simSlow    simEvent = "hops are slow"
	simLossy   simEvent = "crossings fail"
	simMerging simEvent = "payloads merge"
)

// A simStep is a request, or something that happens to somebody, at a time. Zero fields are what the event does not need.
type simStep struct {
	At      time.Duration `json:"at"`
	Who     int           `json:"who,omitempty"`
	What    simEvent      `json:"what"`
	Lasting time.Duration `json:"lasting,omitempty"`
	Odds    float64       `json:"odds,omitempty"`
	Ask     *simAsk       `json:"ask,omitempty"`
}

type simAsk struct {
	To       Address       `json:"to"`
	Require  string        `json:"require"`
	Level    Level         `json:"level"`
	Detail   Detail        `json:"detail,omitempty"`
	FailFast bool          `json:"fail_fast,omitempty"`
	Timeout  time.Duration `json:"timeout"`
}

func (st simStep) String() string {
	switch {
	case st.Ask != nil:
		return fmt.Sprintf("at %v: %d %s %+v", st.At, st.Who, st.What, *st.Ask)
	case st.Odds > 0:
		return fmt.Sprintf("at %v: %s, %v", st.At, st.What, st.Odds)
	}
	return fmt.Sprintf("at %v: %d %s, %v", st.At, st.Who, st.What, st.Lasting)
}

// drawSimSteps makes the links, the requests and, in four of five schedules, the faults.
func drawSimSteps(seed uint64) []simStep {
	chance := rand.New(rand.NewPCG(seed, 7))
	upTo := func(d time.Duration) time.Duration {
		return time.Duration(chance.Int64N(int64(d/time.Millisecond))) * time.Millisecond
	}
	steps := drawLinks(chance)
	within := time.Duration(1+chance.IntN(3)) * time.Second
	patience := []time.Duration{time.Second, 5 * time.Second}[chance.IntN(2)]
	for range 2 + chance.IntN(8) {
		ask := drawAsk(chance)
		ask.Timeout = 250*time.Millisecond + upTo(patience)
		steps = append(steps, simStep{At: upTo(within), Who: chance.IntN(12), What: simAsks, Ask: ask})
	}
	for range seed % 5 {
		what := []simEvent{simKilled, simStopped, simCut, simFell, simDeaf, simHeld, simCloses, simComes, simAway}[chance.IntN(9)]
		steps = append(steps, simStep{At: upTo(within), Who: chance.IntN(12), What: what, Lasting: upTo(what.most())})
	}
	slices.SortStableFunc(steps, func(a, b simStep) int { return cmp.Compare(a.At, b.At) })
	return steps
}

// most is below what it lasts, if that is of any matter.
func (e simEvent) most() time.Duration {
	lasting := map[simEvent]time.Duration{simStopped: 5 * time.Second, simCut: 5 * time.Second, simHeld: 5 * time.Second,
		simAway: 1250 * time.Millisecond, simFell: 500 * time.Millisecond}
	return max(lasting[e], time.Millisecond)
}

func drawLinks(chance *rand.Rand) (steps []simStep) {
	if odds := []float64{0, 0, 0.01, 0.1, 0.1}[chance.IntN(5)]; odds > 0 {
		steps = append(steps, simStep{What: simLossy, Odds: odds})
	}
	if most := []time.Duration{0, 2 * time.Millisecond, 20 * time.Millisecond}[chance.IntN(3)]; most > 0 {
		steps = append(steps, simStep{What: simSlow, Lasting: most})
	}
	if chance.IntN(2) == 0 {
		steps = append(steps, simStep{What: simMerging})
	}
	return steps
}

func drawAsk(chance *rand.Rand) *simAsk {
	to := User(strconv.Itoa(chance.IntN(4)))
	switch chance.IntN(6) {
	case 0:
		to = Group("g")
	case 1:
		to = Everyone()
	case 2:
		to = User("nobody")
	}
	return &simAsk{To: to,
		Require:  []string{"any", "any", "all", "2"}[chance.IntN(4)],
		Level:    []Level{Confirmed, Confirmed, Confirmed, Written, Claimed}[chance.IntN(5)],
		Detail:   []Detail{DetailAuto, DetailAll, DetailSummary}[chance.IntN(3)],
		FailFast: chance.IntN(6) == 0}
}

// pick is the node that a step is about, or nil.
func (s *schedule) pick(who int) *simNode {
	for i := range s.nodes {
		if n := s.nodes[(who+i)%len(s.nodes)]; !n.dead && !n.stopped {
			return n
		}
	}
	return nil
}

// befall lets a step happen.
func (s *schedule) befall(st simStep) {
	n := s.pick(st.Who)
	if n == nil {
		return
	}
	if slices.Contains([]simEvent{simKilled, simStopped, simCut, simFell, simDeaf, simHeld}, st.What) {
		n.suffer()
	}
	switch st.What {
	case simAsks:
		n.ask(st.Ask)
	case simKilled:
		s.hub.Kill(n.idText)
		n.dead = true
	case simStopped:
		n.stop(st.Lasting)
	case simCut:
		s.hub.Cut(n.idText)
		n.silence = n.now() + st.Lasting
		s.clock.After(st.Lasting, func() { s.hub.Mend(n.idText) })
	case simFell:
		s.hub.Fall(n.idText, st.Who%4, st.Lasting)
	case simDeaf:
		s.hub.Deafen(n.idText, relay.AllLanes)
	case simHeld:
		n.held = n.now() + st.Lasting
	case simCloses:
		if len(n.sockets) > 0 {
			n.sockets[st.Who%len(n.sockets)].close()
		}
	case simComes:
		if n := s.start("late-" + strconv.Itoa(len(s.nodes))); !n.dead {
			n.late = true
			n.connect(User("1"), Group("g"), Everyone())
		}
	case simAway:
		s.hub.Away(st.Lasting)
	case simSlow, simLossy, simMerging: // from the beginning
	}
}

// suffer notes that the node has trouble.
func (n *simNode) suffer() {
	if n.troubles++; n.troubles == 1 {
		n.trouble = n.now()
	}
}

type simRequest struct {
	*pending
	from     *simNode
	deadline time.Duration
	ended    time.Duration
	told     map[string]time.Duration // when its caller was told of a delivery, by socket
	receipt  *Receipt
}

// hear tells the caller of deliveries.
func (r *simRequest) hear() {
	for _, d := range r.news {
		r.opts.onDelivery(d)
	}
	r.news = r.news[:0]
}

// ask begins a request.
func (n *simNode) ask(a *simAsk) {
	r := &simRequest{pending: &pending{wake: make(chan struct{}, 1)}, from: n, told: make(map[string]time.Duration)}
	r.timer.owner = r.pending
	require, err := ParseRequirement(a.Require)
	if err != nil {
		n.s.failf("%v", err)
		return
	}
	r.opts.onDelivery = func(d Delivery) { r.told[d.Socket] = n.now() }
	r.opts.require, r.opts.level, r.opts.detail, r.opts.failFast = require, a.Level, a.Detail, a.FailFast
	if err := n.prepare(context.Background(), r.pending, a.To, "e", JSON(1)); err != nil {
		n.s.failf("prepare: %v", err)
		return
	}
	r.pending.deadline = n.now() + a.Timeout
	r.deadline = r.pending.deadline
	n.s.asked = append(n.s.asked, r)
	n.s.byID[r.id] = r
	n.hand(context.Background(), r.pending)
	n.open = append(n.open, r)
}
