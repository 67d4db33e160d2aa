package judge_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

const (
	ms = time.Millisecond
	s  = time.Second
)

// A story is a history that is made by hand. Its times begin at nought.
type story struct{ events []history.Event }

func (y *story) add(at time.Duration, e history.Event) *history.Event {
	e.At = int64(at)
	e.Where = fmt.Sprint("story:", len(y.events)+1)
	y.events = append(y.events, e)
	return &y.events[len(y.events)-1]
}

// welcome lets a client's socket stand from a time on.
func (y *story) welcome(at time.Duration, client, manner, socket, node string) {
	y.add(at, history.Event{Kind: history.Welcome, Actor: client, Socket: socket, Node: node, Text: manner, Groups: []string{"all"}})
}

func (y *story) closed(at time.Duration, client, socket string) {
	y.add(at, history.Event{Kind: history.Closed, Actor: client, Socket: socket})
}

func keyOf(n int) history.Key { return history.Key{Publisher: "bus-1", Number: n} }

// ask begins a request of bus-1 with 2 s to go.
func (y *story) ask(at time.Duration, n int, to string) *history.Call {
	return y.add(at, history.Event{Kind: history.Asked, Actor: "bus-1", Call: &history.Call{
		Key: keyOf(n), To: to, From: "bus-1", Deadline: int64(at + 2*s)}}).Call
}

func message(n int, to string) *history.Message {
	return &history.Message{Key: keyOf(n), ID: fmt.Sprint("id-", n), To: to, Handled: true}
}

func (y *story) seen(at time.Duration, n int, to, client, socket string) *history.Message {
	return y.add(at, history.Event{Kind: history.Seen, Actor: client, Socket: socket, Message: message(n, to)}).Message
}

func (y *story) answered(at time.Duration, n int, to, client, socket, answer string) *history.Message {
	m := message(n, to)
	m.Answer = answer
	return y.add(at, history.Event{Kind: history.Answered, Actor: client, Socket: socket, Message: m}).Message
}

// end gives a receipt of one outcome.
func (y *story) end(at time.Duration, n int, to, outcome string, deliveries ...history.Delivery) *history.End {
	counts := make(map[string]int)
	for _, d := range deliveries {
		counts[d.Outcome]++
	}
	r := &history.Receipt{ID: fmt.Sprint("id-", n), To: to, Outcome: outcome, Nodes: 1, Expected: len(deliveries), Counts: counts,
		Elapsed: 1e6, Deliveries: deliveries}
	return y.add(at, history.Event{Kind: history.Ended, Actor: "bus-1", End: &history.End{Key: keyOf(n), Receipt: r}}).End
}

func (y *story) fails(at time.Duration, n int, failure string) {
	y.add(at, history.Event{Kind: history.Ended, Actor: "bus-1", End: &history.End{Key: keyOf(n), Failure: failure}})
}

func delivery(n int, socket, node, outcome string) history.Delivery {
	d := history.Delivery{Node: node, NodeID: node + "-id", Socket: socket, Outcome: outcome}
	if outcome == "confirmed" {
		d.Reply, _ = json.Marshal(keyOf(n))
	}
	return d
}

// confirmed is a whole request to a prompt client, all as it should be.
func (y *story) confirmed(at time.Duration, n int, to, client, socket string) {
	y.ask(at, n, to)
	y.seen(at+5*ms, n, to, client, socket)
	y.answered(at+6*ms, n, to, client, socket, history.Ack)
	y.end(at+9*ms, n, to, "confirmed", delivery(n, socket, "gw-1", "confirmed"))
}

func (y *story) fault(number int, from, to time.Duration, does string, touches ...string) {
	t := &history.Trouble{Number: number, Name: "fault", Touches: touches, Does: does}
	y.add(from, history.Event{Kind: history.Fault, Fault: t})
	y.add(to, history.Event{Kind: history.Healed, Fault: t})
}

func (y *story) stalled(actor string, from, to time.Duration) {
	y.add(to, history.Event{Kind: history.Stalled, Actor: actor, Since: int64(from)})
}

func (y *story) gauge(at time.Duration, when, actor string, values map[string]float64) {
	y.add(at, history.Event{Kind: history.Gauge, Actor: actor, Text: when, Values: values})
}

// judged holds that the story breaks these rules, and no others.
func (y *story) judged(t *testing.T, want ...judge.Rule) *judge.Verdict {
	t.Helper()
	history.Sort(y.events)
	v := judge.Judge(y.events)
	var broken []judge.Rule
	for _, r := range judge.Rules() {
		if v.Broken()[r] > 0 {
			broken = append(broken, r)
		}
	}
	if !slices.Equal(broken, want) {
		t.Errorf("broken: %q, want %q: %v", broken, want, v.Violations)
	}
	for _, one := range v.Violations {
		for _, where := range one.Evidence {
			if where == "" {
				t.Errorf("without evidence: %v", one)
			}
		}
	}
	return v
}

// everyday is a run in which all goes well: two clients at two nodes.
func everyday() *story {
	y := &story{}
	y.gauge(1*s, "start", "gw-1", map[string]float64{"goroutines": 50, "descriptors": 20, "requests_pending": 0})
	y.welcome(2*s, "ok-1", history.Prompt, "s1", "gw-1")
	y.welcome(2*s, "ok-2", history.Prompt, "s2", "gw-2")
	y.add(3*s, history.Event{Kind: history.Settled})
	y.confirmed(4*s, 1, "user:ok-1", "ok-1", "s1")
	y.confirmed(5*s, 2, "user:ok-2", "ok-2", "s2")
	y.gauge(90*s, "end", "gw-1", map[string]float64{"goroutines": 51, "descriptors": 20, "requests_pending": 0})
	y.add(95*s, history.Event{Kind: history.Left, Actor: "gw-1", Text: "it ended well", Wanted: true})
	return y
}
