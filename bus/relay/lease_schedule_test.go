package relay_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// A leaseFault is what keeps a lane's probes from coming back.
type leaseFault string

const (
	leaseStopped  leaseFault = "the process stands still"
	leaseHeldUp   leaseFault = "nothing gets to Redis"
	leaseHeldDown leaseFault = "nothing comes from Redis"
	leasePaused   leaseFault = "Redis stands still"
	leaseReset    leaseFault = "the connection is reset"
)

// A leaseStep is one of them, at a time.
type leaseStep struct {
	At      time.Duration `json:"at"`
	Lasting time.Duration `json:"lasting"`
	What    leaseFault    `json:"what"`
}

func (s leaseStep) String() string { return fmt.Sprintf("at %v for %v: %s", s.At, s.Lasting, s.What) }

const (
	leaseFaultsFor = 12 * time.Second
	leaseCalm      = 4 * time.Second // after the last fault
	leaseDelay     = 250 * time.Millisecond
	leaseReopen    = 50 * time.Millisecond
)

func drawLeaseSteps(seed uint64) []leaseStep {
	chance := rand.New(rand.NewPCG(seed, 5))
	all := []leaseFault{leaseStopped, leaseHeldUp, leaseHeldDown, leasePaused, leaseReset}
	steps := make([]leaseStep, 1+chance.IntN(6))
	for i := range steps {
		steps[i] = leaseStep{time.Duration(chance.Int64N(int64(leaseFaultsFor))), time.Duration(chance.Int64N(int64(5 * time.Second))),
			all[chance.IntN(len(all))]}
	}
	slices.SortFunc(steps, func(a, b leaseStep) int { return cmp.Compare(a.At, b.At) })
	return steps
}

// A leaseItem is what Redis has appended to the lane's connection.
type leaseItem struct {
	appended, there time.Duration
	probe           []byte // nil: a message
	of              int    // number of the connection
}

// A leaseWorld is one lane between a process and Redis, in virtual time: probes go up, they and messages come down, in order.
type leaseWorld struct {
	clock relaytest.Clock
	rng   *rand.Rand
	lane  *relay.LeasedLane
	on    map[leaseFault]int
	since time.Duration // since when nothing has changed: what can't come back could not before
	calm  time.Duration // since when nothing is wrong

	open    bool
	number  int // of the connection
	down    []leaseItem
	waiting map[leaseFault][]func() // for the end of a fault
	read    int
	wrong   string
}

// playLease plays a schedule and returns what was wrong.
func playLease(t *testing.T, seed uint64, steps []leaseStep) string {
	w := &leaseWorld{rng: rand.New(rand.NewPCG(seed, 6)), on: make(map[leaseFault]int), waiting: make(map[leaseFault][]func())}
	var err error
	if w.lane, err = relay.NewLeasedLane(func() int64 { return int64(w.clock.Now()) + 1 }); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	w.tick()
	w.publish()
	last := time.Duration(0)
	for _, s := range steps {
		w.clock.After(s.At, func() { w.begin(s.What) })
		w.clock.After(s.At+s.Lasting, func() { w.end(s.What) })
		last = max(last, s.At+s.Lasting)
	}
	w.clock.Advance(last + leaseCalm)
	w.lane.Reset()
	if w.wrong == "" && (!w.open || w.read == 0) {
		w.failf("open %v, %d messages were read", w.open, w.read)
	}
	return w.wrong
}

func (w *leaseWorld) failf(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf("at %v ", w.clock.Now()) + fmt.Sprintf(format, args...)
	}
}

func (w *leaseWorld) delay() time.Duration { return time.Duration(w.rng.Int64N(int64(leaseDelay))) }

// blocked reports whether a probe can't come back now.
func (w *leaseWorld) blocked() bool {
	return w.on[leaseHeldUp]+w.on[leaseHeldDown]+w.on[leasePaused] > 0
}

func (w *leaseWorld) begin(f leaseFault) {
	if f == leaseReset {
		w.lane.Reset()
		w.fell()
	}
	w.since = w.clock.Now()
	w.on[f]++
}

func (w *leaseWorld) end(f leaseFault) {
	w.on[f]--
	w.calm = w.clock.Now()
	w.since = w.calm // what waited for it goes on, as far as the next fault
	if w.on[f] > 0 {
		return
	}
	for _, next := range w.waiting[f] {
		next()
	}
	w.waiting[f] = nil
	w.pump()
}

// past goes on with next once the fault is over, in order.
func (w *leaseWorld) past(f leaseFault, next func()) {
	if w.on[f] > 0 {
		w.waiting[f] = append(w.waiting[f], next)
	} else {
		next()
	}
}

// tick is the relay's, as long as the process runs.
func (w *leaseWorld) tick() {
	w.clock.After(relay.LeaseTick, w.tick)
	if w.on[leaseStopped] > 0 {
		return
	}
	w.lane.Tick()
	for _, p := range w.lane.Probes() {
		w.clock.After(w.delay(), func() { w.past(leaseHeldUp, func() { w.past(leasePaused, func() { w.reply(p) }) }) })
	}
	w.look()
	if now := w.clock.Now(); w.open && w.blocked() && now-w.since > relay.LeaseTime+2*relay.LeaseTick {
		w.failf("the lane stands, and no probe can have come back for %v", now-w.since)
	}
}

// reply is Redis's answer to a probe: on the connection that published it, and on the lane's.
func (w *leaseWorld) reply(p relay.LeaseProbe) {
	w.push(p.Payload)
	w.clock.After(w.delay(), func() { w.past(leaseHeldDown, func() { w.past(leaseStopped, p.Done) }) })
}

// publish is another node's, all the time.
func (w *leaseWorld) publish() {
	w.clock.After(20*time.Millisecond+w.delay()/2, w.publish)
	w.past(leasePaused, func() { w.push(nil) })
}

func (w *leaseWorld) push(probe []byte) {
	if !w.open {
		return
	}
	item := leaseItem{appended: w.clock.Now(), there: w.clock.Now() + w.delay(), probe: probe, of: w.number}
	if n := len(w.down); n > 0 {
		item.there = max(item.there, w.down[n-1].there)
	}
	w.down = append(w.down, item)
	w.clock.After(item.there-w.clock.Now(), w.pump)
}

// pump reads what has come.
func (w *leaseWorld) pump() {
	for len(w.down) > 0 && w.on[leaseStopped] == 0 && w.on[leaseHeldDown] == 0 && w.open {
		item := w.down[0]
		if item.there > w.clock.Now() {
			return
		}
		w.down = w.down[1:]
		if !w.lane.Read(item.probe) {
			w.look()
			return
		}
		w.read++
		if age := w.clock.Now() - item.appended; age > relay.LeaseTime {
			w.failf("what Redis had appended %v before was handed over", age)
		}
	}
}

// look sees whether the lane has given its connection up, which it may not where nothing is wrong.
func (w *leaseWorld) look() {
	if !w.open || !w.lane.Fell() {
		return
	}
	wrong := w.on[leaseStopped] > 0 || w.blocked()
	if quiet := w.clock.Now() - w.calm; !wrong && quiet > relay.LeaseTime {
		w.failf("the lane is given up, and nothing was wrong for %v", quiet)
	}
	w.fell()
}

func (w *leaseWorld) fell() {
	w.open, w.down = false, nil
	w.clock.After(leaseReopen, w.reopen)
}

// reopen connects again as soon as that is possible.
func (w *leaseWorld) reopen() {
	if w.open {
		return
	}
	if w.on[leaseStopped] > 0 || w.blocked() {
		w.clock.After(leaseReopen, w.reopen)
		return
	}
	w.open = true
	w.number++
	w.lane.Open()
}

// TestLeaseSchedules plays many schedules. One that fails is shrunk and kept; ACKBUS_LEASE_SEED plays it again.
func TestLeaseSchedules(t *testing.T) {
	relaytest.Schedules(t, "ACKBUS_LEASE_SEED", relaytest.Many(2000, 500), drawLeaseSteps,
		func(seed uint64, steps []leaseStep) string { return playLease(t, seed, steps) })
}
