package bus

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// A memberFault is something that happens to a node.
type memberFault string

const (
	memberKilled  memberFault = "killed"
	memberStopped memberFault = "stopped"
	memberCut     memberFault = "cut"
	memberFell    memberFault = "a lane fell"
	memberLeft    memberFault = "left"
	memberCame    memberFault = "another one came"
	redisAway     memberFault = "Redis was away"
)

// A memberStep is one of them, at a time.
type memberStep struct {
	At      time.Duration `json:"at"`
	What    memberFault   `json:"what"`
	Who     int           `json:"who"`
	Lasting time.Duration `json:"lasting"`
}

func (s memberStep) String() string {
	return fmt.Sprintf("at %v: %d, %s, %v", s.At, s.Who, s.What, s.Lasting)
}

const (
	memberFaultsFor = 12 * time.Second
	// memberKnown is within what everybody knows who is there, after the last fault.
	memberKnown = 10 * time.Second
	// memberForgotten is within what nobody knows any more who is gone.
	memberForgotten = 9 * time.Second
	// memberAtOnce is within what a goodbye, or a newcomer's greeting, has reached everybody.
	memberAtOnce = 200 * time.Millisecond
	// memberSteady is for how long two must have had no trouble to be sure of each other.
	memberSteady = 5 * time.Second
)

func drawMemberSteps(seed uint64) []memberStep {
	chance := rand.New(rand.NewPCG(seed, 2))
	all := []memberFault{memberKilled, memberStopped, memberStopped, memberCut, memberCut, memberFell, memberFell, memberLeft, memberCame,
		memberCame, redisAway}
	steps := make([]memberStep, 1+chance.IntN(7))
	for i := range steps {
		steps[i] = memberStep{time.Duration(chance.Int64N(int64(memberFaultsFor))), all[chance.IntN(len(all))], chance.IntN(6),
			time.Duration(chance.Int64N(int64(5 * time.Second)))}
	}
	slices.SortFunc(steps, func(a, b memberStep) int { return int(a.At - b.At) })
	return steps
}

// A memberWorld is some nodes that do nothing but know each other: the membership of Bus over the in-memory relay, in one goroutine. Each
// has a clock of its own, which goes a little too fast or too slow.
type memberWorld struct {
	t     *testing.T
	clock relaytest.Clock
	rng   *rand.Rand
	hub   *relay.Hub
	nodes []*memberNode
	away  time.Duration // until when Redis was away last
	wrong string        // the first that was not as it should be
}

type memberNode struct {
	*Bus
	live    *liveness
	gone    bool
	left    bool // with a goodbye
	stopped bool
	knew    map[*memberNode]bool // when it was looked at last
	steady  time.Duration        // since when it has had no trouble
}

// playMembers plays a schedule and returns what was wrong.
func playMembers(t *testing.T, seed uint64, steps []memberStep) string {
	w := &memberWorld{t: t, rng: rand.New(rand.NewPCG(seed, 3))}
	w.hub = relay.NewHub(&relay.HubOptions{After: w.clock.After, Ghost: time.Duration(seed%3) * 2 * time.Second,
		Delay: func() time.Duration { return time.Duration(w.rng.IntN(20_000)) * time.Microsecond }})
	for range 3 {
		w.come()
	}
	last := time.Duration(0)
	for _, s := range steps {
		w.clock.After(s.At, func() { w.befall(s) })
		last = max(last, s.At+s.Lasting)
	}
	for end := last + memberKnown; w.clock.Now() < end && w.wrong == ""; {
		w.clock.Advance(100 * time.Millisecond)
		w.judge()
	}
	for _, n := range w.nodes {
		_ = n.relay.Close()
		n.group.Stop()
		n.group.Wait()
	}
	return w.wrong
}

func (w *memberWorld) come() {
	o, err := (&Options{Name: "node-" + strconv.Itoa(len(w.nodes)), Logger: slog.New(slog.DiscardHandler)}).withDefaults()
	if err != nil {
		w.t.Fatal(err)
	}
	pace := 0.99 + 0.02*w.rng.Float64()
	ahead := time.Duration(w.rng.Int64N(int64(time.Hour)))
	now := func() time.Duration { return time.Minute + ahead + time.Duration(pace*float64(w.clock.Now())) }
	n := &memberNode{live: newLiveness(), Bus: newBus(uuid.UUID{15: byte(len(w.nodes) + 1)}, w.hub.Relay(), o, now), steady: w.clock.Now(),
		knew: make(map[*memberNode]bool)}
	if n.attach(w.t.Context()) != nil { // Redis is away
		_ = n.relay.Close()
		n.group.Stop()
		n.group.Wait()
		return
	}
	w.nodes = append(w.nodes, n)
	w.clock.After(memberAtOnce, func() { w.greeted(n) })
	w.every(n, choreEvery, func() { n.withMembers(func(now time.Duration) { n.members.advance(now) }) })
	w.every(n, lookEvery, func() { n.checkLiveness(n.live) })
}

// every runs f again and again, as long as the node's process runs.
func (w *memberWorld) every(n *memberNode, d time.Duration, f func()) {
	w.clock.After(d, func() {
		if n.gone {
			return
		}
		if !n.stopped {
			f()
		}
		w.every(n, d, f)
	})
}

// befall lets a step happen. A node that has its trouble already is left alone.
func (w *memberWorld) befall(s memberStep) {
	if s.What == redisAway {
		w.hub.Away(s.Lasting)
		w.away = w.clock.Now() + s.Lasting
		return
	}
	if s.What == memberCame {
		w.come()
		return
	}
	n := w.nodes[s.Who%len(w.nodes)]
	if n.gone || n.steady > w.clock.Now() {
		return
	}
	n.steady = w.clock.Now() + s.Lasting
	switch s.What {
	case memberKilled:
		w.hub.Kill(n.idText)
		n.gone = true
	case memberLeft:
		n.post([]relay.Packet{n.goodbye()})
		n.gone, n.left, n.steady = true, true, w.clock.Now()
		w.clock.After(100*time.Millisecond, func() { w.hub.Kill(n.idText) })
	case memberStopped:
		w.hub.Stop(n.idText)
		n.stopped = true
		w.clock.After(s.Lasting, func() {
			n.stopped = false
			w.hub.Continue(n.idText)
		})
	case memberCut:
		w.hub.Cut(n.idText)
		w.clock.After(s.Lasting, func() { w.hub.Mend(n.idText) })
	case memberFell:
		w.hub.Fall(n.idText, s.Who%4, s.Lasting)
	case memberCame, redisAway: // not a node's
	}
}

// judge holds what the nodes know against who is there.
func (w *memberWorld) judge() {
	for _, n := range w.nodes {
		if n.gone || n.stopped {
			continue
		}
		holders := 0
		for _, other := range w.nodes {
			if other != n {
				w.judgePair(n, other)
			}
			if w.sure(n) && w.sure(other) && !other.gone {
				holders++
			}
		}
		if got := n.members.holders(); got < holders {
			w.failf("%s counts %d holders of beacons, and there are %d", n.name, got, holders)
		}
		if w.sure(n) && n.Ready() != nil {
			w.failf("%s is not settled", n.name)
		}
	}
}

// sure reports whether a node has had no trouble for a while, and could speak with the others.
func (w *memberWorld) sure(n *memberNode) bool {
	return w.clock.Now()-max(n.steady, w.away) >= memberSteady
}

// judgePair holds that who is there is known, and who is gone is not for long. Who has no trouble of its own is forgotten by nobody,
// whatever trouble that one has, or Redis.
func (w *memberWorld) judgePair(n, other *memberNode) {
	now := w.clock.Now()
	known, steady := n.members.table[other.id] != nil, now-other.steady >= memberSteady
	switch {
	case !other.gone && !known && w.sure(n) && w.sure(other):
		w.failf("%s does not know %s", n.name, other.name)
	case !other.gone && !known && n.knew[other] && steady:
		w.failf("%s has forgotten %s", n.name, other.name)
	case other.gone && known && now-max(n.steady, other.steady, w.away) >= memberForgotten,
		other.left && known && other.steady-max(n.steady, w.away) >= memberSteady && now-other.steady >= memberAtOnce:
		w.failf("%s still knows %s", n.name, other.name)
	}
	n.knew[other] = known
}

func (w *memberWorld) failf(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf("at %v ", w.clock.Now()) + fmt.Sprintf(format, args...)
	}
}

// greeted holds that a newcomer among nodes without trouble knows them at once, and is settled.
func (w *memberWorld) greeted(n *memberNode) {
	trouble := func(other *memberNode) bool { return other != n && !w.sure(other) } // of who is gone the farewell may still be on its way
	if n.gone || n.steady > w.clock.Now() || slices.ContainsFunc(w.nodes, trouble) {
		return
	}
	for _, other := range w.nodes {
		if other != n && !other.gone && n.members.table[other.id] == nil {
			w.failf("%s is new and does not know %s", n.name, other.name)
		}
	}
	if n.Ready() != nil {
		w.failf("%s is new and not settled", n.name)
	}
}

// TestMemberSchedules plays many schedules. One that fails is shrunk and kept; ACKBUS_MEMBER_SEED plays it again.
func TestMemberSchedules(t *testing.T) {
	relaytest.Schedules(t, "ACKBUS_MEMBER_SEED", relaytest.Many(1000, 200), drawMemberSteps,
		func(seed uint64, steps []memberStep) string { return playMembers(t, seed, steps) })
}
