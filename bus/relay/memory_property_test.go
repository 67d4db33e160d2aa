package relay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// TestMemoryPromises plays random faults on a clock of the test's own, and wants the same to happen each time. A schedule that fails is
// shrunk and kept; ACKBUS_HUB_SEED plays it again.
func TestMemoryPromises(t *testing.T) {
	relaytest.Schedules(t, "ACKBUS_HUB_SEED", relaytest.Many(1000, 100), drawPlay, func(seed uint64, steps []playStep) string {
		var logs [2][]string
		for i := range logs {
			var clock relaytest.Clock
			opts := chaos(seed)
			opts.After = clock.After
			var wrong string
			if logs[i], wrong = newPlay(t, relay.NewHub(&opts), clock.Advance).run(steps); wrong != "" {
				return wrong
			}
		}
		if !slices.Equal(logs[0], logs[1]) {
			return "the same seed went two ways"
		}
		return ""
	})
}

// TestMemoryPromisesInBubble plays them with the scheduler of package time.
func TestMemoryPromisesInBubble(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			opts := chaos(seed)
			_, wrong := newPlay(t, relay.NewHub(&opts), func(d time.Duration) {
				<-time.After(d + time.Microsecond) // virtual
				synctest.Wait()
			}).run(drawPlay(seed))
			if wrong != "" {
				t.Errorf("seed %d: %s", seed, wrong)
			}
		})
	}
}

// chaos is a hub on which everything takes a random time and one crossing in ten goes wrong.
func chaos(seed uint64) relay.HubOptions {
	random := rand.New(rand.NewPCG(seed, 1))
	return relay.HubOptions{
		Lanes:         1 + random.IntN(4),
		Merge:         random.IntN(2) == 0,
		OutboxPackets: 64,
		Linger:        []time.Duration{-1, time.Second}[random.IntN(2)],
		Ghost:         time.Duration(random.IntN(2)) * time.Second,
		Delay:         func() time.Duration { return time.Duration(random.IntN(5)) * time.Millisecond },
		Fault: func(relay.Crossing) relay.Fault {
			if random.IntN(10) > 0 {
				return relay.Fault{}
			}
			return []relay.Fault{
				{Err: relay.ErrLost}, {Delay: 50 * time.Millisecond}, {Copies: 1},
			}[random.IntN(3)]
		},
	}
}

// A play is nodes that publish, and what befalls them.
type play struct {
	hub     *relay.Hub
	advance func(d time.Duration)
	actors  []*actor

	mu    sync.Mutex
	log   []string
	wrong string // the first that was not as it should be
}

// An actor is a node of a play.
type actor struct {
	relay.Relay
	play    *play
	id      string
	gone    bool // killed
	numbers map[string]int
	held    map[string][]func() // by channel, what releases it
	tokens  uint64
	sent    map[uint64]string // by token

	mu      sync.Mutex
	results map[uint64]relay.Result
	last    map[string]int    // the highest number received, by channel and publisher
	before  map[string]string // the last payload received, by channel
	copies  map[string]int    // by payload
	up      map[int]bool
}

const playedNodes = 4

var playedChannels = []string{"a", "b", "c", "d", "e"}

func newPlay(t *testing.T, hub *relay.Hub, advance func(d time.Duration)) *play {
	t.Helper()
	p := &play{hub: hub, advance: advance}
	for i := range playedNodes {
		a := &actor{
			Relay: hub.Relay(), play: p, id: fmt.Sprint(i),
			numbers: make(map[string]int), held: make(map[string][]func()), sent: make(map[uint64]string), before: make(map[string]string),
			results: make(map[uint64]relay.Result), last: make(map[string]int), copies: make(map[string]int), up: make(map[int]bool),
		}
		if err := a.Start(context.Background(), relay.Self{ID: a.id}, a); err != nil {
			t.Fatal(err)
		}
		p.actors = append(p.actors, a)
	}
	return p
}

func (p *play) notef(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, fmt.Sprintf(format, args...))
}

func (p *play) failf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wrong == "" {
		p.wrong = fmt.Sprintf(format, args...)
	}
}

// Receive wants the payloads of one publisher on one channel in order.
func (a *actor) Receive(m relay.Message) {
	a.play.notef("%s received %s", a.id, m.Payload)
	a.mu.Lock()
	defer a.mu.Unlock()
	if string(m.Payload) == a.before[m.Channel] {
		return // a copy too many
	}
	a.before[m.Channel] = string(m.Payload)
	for _, one := range splitPlayed(m.Payload) {
		var from, number int
		var channel string
		if _, err := fmt.Sscanf(one, "%d %s %d", &from, &channel, &number); err != nil || channel != m.Channel {
			a.play.failf("%q on %s: %v", one, m.Channel, err)
		}
		stream := fmt.Sprint(m.Channel, m.Pattern, from)
		if number < a.last[stream] {
			a.play.failf("%s received %q after number %d", a.id, one, a.last[stream])
		}
		a.last[stream] = number
		a.copies[one]++
	}
}

// splitPlayed takes apart payloads that end with a semicolon.
func splitPlayed(payload []byte) []string {
	var all []string
	for len(payload) > 0 {
		end := slices.Index(payload, ';')
		all, payload = append(all, string(payload[:end])), payload[end+1:]
	}
	return all
}

// Published wants one result for each token.
func (a *actor) Published(results []relay.Result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range results {
		a.play.notef("%s was told %+v", a.id, r)
		if _, twice := a.results[r.Token]; twice || r.Token == 0 {
			a.play.failf("%s: a result too many: %+v", a.id, r)
		}
		a.results[r.Token] = r
	}
}

// Lane wants falls and rises by turns.
func (a *actor) Lane(e relay.LaneEvent) {
	a.play.notef("%s: %+v", a.id, e)
	a.mu.Lock()
	defer a.mu.Unlock()
	up, known := a.up[e.Lane]
	if up == e.Up && known || !known && e.Up {
		a.play.failf("%s: %+v out of turn", a.id, e)
	}
	a.up[e.Lane] = e.Up
}

// publish publishes the next number to the channel, and remembers by its token which it was.
func (a *actor) publish(channel string, guard bool, patience time.Duration) {
	number := a.numbers[channel]
	p := relay.Packet{
		Channel: channel, Payload: fmt.Appendf(nil, "%s %s %d;", a.id, channel, number),
		Token: a.tokens + 1, Guard: guard, Patience: patience,
	}
	switch err := a.Publish(context.Background(), p); {
	case err == nil:
		a.tokens++
		a.numbers[channel]++
		a.sent[p.Token] = string(p.Payload[:len(p.Payload)-1])
	case errors.Is(err, relay.ErrFull), a.gone && errors.Is(err, relay.ErrClosed):
	default:
		a.play.failf("publish: %v", err)
	}
}
