package bus

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

// inBubble runs a test in virtual time, a day of it at most: what waits in vain there would wait for ever, since the clocks go on.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		end := time.AfterFunc(24*time.Hour, func() { panic(t.Name() + " waits in vain") })
		defer end.Stop()
		test(t)
	})
}

// pass lets virtual time pass, and what is due then happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// faults are what befalls crossings of a hub; the test changes them as it goes.
type faults struct {
	atomic.Pointer[func(relay.Crossing) relay.Fault]
}

// hub makes a hub that suffers them, with hops of a millisecond.
func (f *faults) hub() *relay.Hub {
	return relay.NewHub(&relay.HubOptions{
		Delay: func() time.Duration { return time.Millisecond },
		Fault: func(c relay.Crossing) relay.Fault {
			if befalls := f.Load(); befalls != nil {
				return (*befalls)(c)
			}
			return relay.Fault{}
		},
	})
}

func (f *faults) set(befalls func(relay.Crossing) relay.Fault) { f.Store(&befalls) }

// stop lets everything pass again.
func (f *faults) stop() { f.Store(nil) }

// loses lets what matches be lost on the hop.
func loses(hop relay.Hop, matches func(relay.Crossing) bool) func(relay.Crossing) relay.Fault {
	return func(c relay.Crossing) relay.Fault {
		if c.Hop == hop && matches(c) {
			return relay.Fault{Err: relay.ErrLost}
		}
		return relay.Fault{}
	}
}

// isReport is whether something travels to a publisher's own channel: reports, tallies and answers to a roll call.
func isReport(c relay.Crossing) bool { return strings.HasPrefix(c.Channel, "ackbus:r:") }

// isMessage is whether something travels to an address.
func isMessage(c relay.Crossing) bool { return strings.HasPrefix(c.Channel, "ackbus:a:") }

// until waits in real time until the condition holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// join starts a node on the hub that ends with the test.
func join(t *testing.T, hub *relay.Hub, name string, change ...func(*Options)) *Bus {
	t.Helper()
	o := Options{Name: name, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	b, err := New(t.Context(), hub.Relay(), &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// settled starts nodes a, b, … and lets them know each other. It belongs into a bubble.
func settled(t *testing.T, hub *relay.Hub, n int) []*Bus {
	t.Helper()
	nodes := make([]*Bus, n)
	for i := range nodes {
		nodes[i] = join(t, hub, string(rune('a'+i)))
	}
	pass(2 * time.Second)
	return nodes
}

// An answer is what a client does with a message.
type answer func(m *Message, t Ticket)

// What clients do.
func confirms(_ *Message, t Ticket) {
	t.Written()
	t.Confirm(JSON("ok"))
}

func refuses(_ *Message, t Ticket) {
	t.Written()
	t.Reject("no_funds", "the account is empty")
}

func staysSilent(_ *Message, t Ticket) { t.Written() }
func leaves(_ *Message, t Ticket)      { t.Close() }
func neverWrites(*Message, Ticket)     {}
func isSlow(_ *Message, t Ticket)      { t.Drop("slow", "too slow") }

// later has a client write at once and answer after d.
func later(d time.Duration, a answer) answer {
	return func(m *Message, t Ticket) {
		t.Written()
		time.AfterFunc(d, func() { a(m, t) })
	}
}

// A client is an endpoint whose answer the test chooses, and what it saw.
type client struct {
	at     *Attachment
	socket string

	mu        sync.Mutex
	answer    answer
	seen      []*Message
	tickets   []Ticket
	forgotten []uuid.UUID
}

func (c *client) Deliver(m *Message, t Ticket) {
	c.mu.Lock()
	c.seen, c.tickets = append(c.seen, m), append(c.tickets, t)
	do := c.answer
	c.mu.Unlock()
	do(m, t)
}

func (c *client) Forget(id uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgotten = append(c.forgotten, id)
}

func (c *client) answers(a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = a
}

func (c *client) messages() []*Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen)
}

// over lists the messages whose time was over.
func (c *client) over() []uuid.UUID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.forgotten)
}

// ticket is the last one.
func (c *client) ticket() Ticket {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tickets[len(c.tickets)-1]
}

// wantSeen holds how often the client got anything against n.
func (c *client) wantSeen(t *testing.T, n int) {
	t.Helper()
	if got := len(c.messages()); got != n {
		t.Errorf("the client at %s saw %d messages, want %d", c.socket, got, n)
	}
}

// connect attaches a client to a node.
func connect(t *testing.T, b *Bus, a answer, to ...Address) *client {
	t.Helper()
	c := &client{answer: a, socket: b.NewSocket()}
	at, err := b.Attach(t.Context(), c, Profile{Socket: c.socket, User: to[0].Name(), Carrier: CarrierTCP}, to...)
	if err != nil {
		t.Fatal(err)
	}
	c.at = at
	return c
}

// within is a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// wantOutcome holds an answer of Request against an outcome and its error, and the receipt against what holds for any receipt.
func wantOutcome(t *testing.T, r *Receipt, err error, want Outcome) {
	t.Helper()
	if r == nil {
		t.Fatalf("no receipt, %v; want %v", err, want)
	}
	if r.Outcome != want || !errors.Is(err, want.Err()) || (err == nil) != (want.Err() == nil) {
		t.Fatalf("%v, %v, counts %v; want %v, %v", r, err, r.Counts, want, want.Err())
	}
	if e, ok := errors.AsType[*ReceiptError](err); err != nil && (!ok || e.Receipt != r) {
		t.Errorf("%v does not carry the receipt", err)
	}
	wantSound(t, r)
}

// wantSound holds the receipt's numbers and times against each other.
func wantSound(t *testing.T, r *Receipt) {
	t.Helper()
	sum := 0
	for _, n := range r.Counts {
		sum += n
	}
	if sum < r.Expected || len(r.Deliveries) > sum {
		t.Errorf("%v: %d deliveries listed, counts %v, expected %d", r, len(r.Deliveries), r.Counts, r.Expected)
	}
	for _, d := range r.Deliveries {
		if d.Written < 0 || d.Settled > 0 && d.Written > d.Settled || max(d.Written, d.Settled) > r.Elapsed {
			t.Errorf("%v: written %v, settled %v, elapsed %v", r, d.Written, d.Settled, r.Elapsed)
		}
	}
}

// wantEnd waits for calls that must not take a minute.
func wantEnd(t *testing.T, all *sync.WaitGroup) {
	t.Helper()
	ended := make(chan struct{})
	g := run.New(t.Context())
	g.Go(func() {
		all.Wait()
		close(ended)
	})
	g.Stop()
	select {
	case <-ended:
		g.Wait()
	case <-time.After(time.Minute):
		t.Fatal("some calls never end")
	}
}

// took holds the time since the start against the least and the most that it may be.
func took(t *testing.T, start time.Time, least, most time.Duration) {
	t.Helper()
	if d := time.Since(start); d < least || d > most {
		t.Errorf("it took %v, want %v to %v", d, least, most)
	}
}
