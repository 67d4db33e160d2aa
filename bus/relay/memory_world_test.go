package relay_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// A world is a hub in virtual time, of one kind or the other.
type world struct {
	*relay.Hub
	advance func(d time.Duration)
	nodes   []*inbox
}

// inWorlds runs a test twice: with the scheduler of package time in a bubble, and with one of the test's own.
func inWorlds(t *testing.T, opts relay.HubOptions, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t, &world{Hub: relay.NewHub(&opts), advance: func(d time.Duration) {
				<-time.After(d + time.Microsecond) // virtual; what is due at d has run, and what followed at once
				synctest.Wait()
			}})
		})
	})
	t.Run("clock", func(t *testing.T) {
		var clock relaytest.Clock
		opts := opts
		opts.After = clock.After
		test(t, &world{Hub: relay.NewHub(&opts), advance: clock.Advance})
	})
}

// An inbox is a node's relay and what it received, as words.
type inbox struct {
	relay.Relay
	world *world
	id    string
	token uint64

	mu      sync.Mutex
	arrived []string // messages and lane events: in order, where there is one lane
	told    []string // results
}

func (w *world) node(t *testing.T, id string) *inbox {
	t.Helper()
	n := &inbox{Relay: w.Relay(), world: w, id: id}
	if err := n.Start(t.Context(), relay.Self{ID: id}, n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	w.nodes = append(w.nodes, n)
	return n
}

func (n *inbox) arrive(word string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arrived = append(n.arrived, word)
}

// Receive, Published and Lane put down what comes.
func (n *inbox) Receive(m relay.Message) { n.arrive(string(m.Payload)) }

func (n *inbox) Lane(e relay.LaneEvent) {
	if e.Up {
		n.arrive(fmt.Sprintf("up %d", e.Lane))
	} else {
		n.arrive(fmt.Sprintf("down %d", e.Lane))
	}
}

func (n *inbox) Published(results []relay.Result) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range results {
		word := fmt.Sprintf("%d: %d", r.Token, r.Count)
		if r.Err != nil {
			word = fmt.Sprintf("%d: %s", r.Token, errorWord(r.Err))
		} else if r.Beacon > 0 {
			word += fmt.Sprintf(" of %d", r.Beacon)
		}
		n.told = append(n.told, word)
	}
}

// hold subscribes, which never blocks in these tests.
func (n *inbox) hold(t *testing.T, name string) (release func()) {
	t.Helper()
	release, err := n.Subscribe(t.Context(), relay.Channel{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// publish publishes the payload to "c", with the next token.
func (n *inbox) publish(t *testing.T, payload string, patience time.Duration) {
	t.Helper()
	n.send(t, relay.Packet{Channel: "c", Payload: []byte(payload), Patience: patience})
}

// publishElsewhere publishes to a channel that nobody holds.
func (n *inbox) publishElsewhere(t *testing.T, patience time.Duration) {
	t.Helper()
	n.send(t, relay.Packet{Channel: "elsewhere", Patience: patience})
}

func (n *inbox) send(t *testing.T, p relay.Packet) {
	t.Helper()
	n.token++
	p.Token = n.token
	if err := n.Publish(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// after lets the time d pass, and wants that by then the node has these new words: what arrived, then what it was told.
func (n *inbox) after(t *testing.T, d time.Duration, want ...string) {
	t.Helper()
	n.world.advance(d)
	n.mu.Lock()
	defer n.mu.Unlock()
	if got := slices.Concat(n.arrived, n.told); !slices.Equal(got, want) {
		t.Errorf("%s after %v: %q, want %q", n.id, d, got, want)
	}
	n.arrived, n.told = nil, nil
}
