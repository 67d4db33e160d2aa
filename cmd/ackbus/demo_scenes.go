package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// A scene is one request of the demonstration, and how it must end.
type scene struct {
	title   string
	to      bus.Address
	opts    []bus.RequestOption
	timeout time.Duration // 0: 5 s
	before  func(ctx context.Context, c *cluster) error
	want    bus.Outcome
	on      string // the node that a delivery with the outcome must name; empty: any
	count   int    // how many endpoints are expected: as many or, where success ends the request early, as many at least
	early   bool
	tries   int // how often it may be played: what depends on a node's word within 40 ms may need more than one on a busy machine
}

// The nodes, by name.
const (
	node1 = "node-1"
	node2 = "node-2"
	node3 = "node-3"
)

// soon is the timeout of scenes that wait in vain.
const soon = 200 * time.Millisecond

// scenes are played in order, from node-1. The last ones cost node-3 its Redis.
func scenes(c *cluster) []scene {
	return slices.Concat(reached(c), groups(), levels(), failed(), lost())
}

// reached are requests to one endpoint that confirms.
func reached(c *cluster) []scene {
	again := options(bus.WithID(uuid.New()))
	ok := bus.OutcomeConfirmed
	return []scene{
		{title: "a WebSocket on the same node", to: bus.User("ada"), want: ok, on: node1, count: 1},
		{title: "a TCP client on another node", to: bus.User("bob"), want: ok, on: node2, count: 1},
		{title: "a msgpack WebSocket on a third", to: bus.User("cleo"), want: ok, on: node3, count: 1},
		{title: "a Go handler", to: bus.Topic("audit"), want: ok, on: node2, count: 1},
		{title: "one socket by its ID", to: bus.Socket(c.clients["ada"].socket), want: ok, on: node1, count: 1},
		{title: "an ID of its own", to: bus.User("bob"), opts: again, want: ok, on: node2, count: 1},
		{title: "the same ID: not sent twice", to: bus.User("bob"), opts: again, want: ok, on: node2, count: 1},
		{title: "a slow client, in time", to: bus.User("slow"), want: ok, on: node2, count: 1},
	}
}

// groups are requests to several endpoints.
func groups() []scene {
	all, two, five := require(bus.All()), require(bus.AtLeast(2)), require(bus.AtLeast(5))
	crew, mixed, ok := bus.Group("crew"), bus.Group("mixed"), bus.OutcomeConfirmed
	return []scene{
		{title: "a group, any of it", to: crew, want: ok, count: 1, early: true},
		{title: "a group, two of it", to: crew, opts: two, want: ok, count: 2, early: true},
		{title: "a group, all of it", to: crew, opts: all, want: ok, count: 3},
		{title: "a group in which one refuses", to: mixed, opts: all, want: bus.OutcomeRejected, on: node2, count: 2},
		{title: "five of a group of three", to: crew, opts: five, want: bus.OutcomeTooFew, count: 3},
	}
}

// levels are requests that ask for less than a confirmation.
func levels() []scene {
	claimed, written := options(bus.WithLevel(bus.Claimed)), options(bus.WithLevel(bus.Written))
	return []scene{
		{title: "where is bob?", to: bus.User("bob"), opts: claimed, want: bus.OutcomeClaimed, on: node2, count: 1},
		{title: "written is enough", to: bus.User("mute"), opts: written, want: bus.OutcomeWritten, on: node1, count: 1},
	}
}

// failed are requests that nobody confirms.
func failed() []scene {
	late, volatile, deaf := bus.OutcomeUnconfirmed, options(bus.Volatile()), bus.User("deaf")
	return []scene{
		{title: "a slow client, too late", to: bus.User("slow"), timeout: soon, want: late, on: node2, count: 1},
		{title: "a silent client", to: bus.User("mute"), timeout: soon, want: late, on: node1, count: 1},
		{title: "a client that refuses", to: bus.User("rex"), want: bus.OutcomeRejected, on: node2, count: 1},
		{title: "a client that leaves", to: bus.User("leo"), want: bus.OutcomeClosed, on: node2, count: 1},
		{title: "one that nobody knows", to: bus.User("nobody"), want: bus.OutcomeNoReceiver},
		{title: "one that never reads: volatile", to: deaf, before: fillDeaf, opts: volatile, want: bus.OutcomeDropped, on: node2,
			count: 1},
		{title: "one that never reads: in line", to: deaf, timeout: soon, want: bus.OutcomeExpired, on: node2, count: 1, tries: 5},
	}
}

// lost is what becomes of a node that falls silent, and of a group without it.
func lost() []scene {
	return []scene{
		{title: "its node loses its relay", to: bus.User("lost"), want: bus.OutcomeUnknown, on: node3, count: 1},
		{title: "the group without that node", to: bus.Group("crew"), opts: require(bus.All()), want: bus.OutcomeConfirmed, count: 2},
	}
}

func options(all ...bus.RequestOption) []bus.RequestOption { return all }

func require(r bus.Requirement) []bus.RequestOption { return options(bus.Require(r)) }

// play sends the request and holds its receipt against what was expected.
func (s *scene) play(ctx context.Context, c *cluster) (shown, error) {
	if s.before != nil {
		if err := s.before(ctx, c); err != nil {
			return shown{}, err
		}
	}
	for try := 1; ; try++ {
		receipt, err := s.send(ctx, c)
		if receipt == nil {
			return shown{}, err
		}
		if fault := s.fault(receipt); fault == "" || try >= s.tries {
			return shown{Title: s.title, Want: s.want, Fault: fault, Receipt: receipt}, nil
		}
	}
}

func (s *scene) send(ctx context.Context, c *cluster) (*bus.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.timeout, 5*time.Second))
	defer cancel()
	return c.nodes[0].bus.Request(ctx, s.to, "demo", bus.JSON(map[string]int{"amount": 100}), s.opts...)
}

// fault says in what the receipt is not what was expected; empty: in nothing.
func (s *scene) fault(r *bus.Receipt) string {
	if r.Outcome != s.want {
		return fmt.Sprintf("ended as %s, expected %s", r.Outcome, s.want)
	}
	if r.Expected < s.count || r.Expected > s.count && !s.early {
		return fmt.Sprintf("found %d endpoints, expected %d", r.Expected, s.count)
	}
	if s.on == "" {
		return ""
	}
	for _, d := range r.Deliveries {
		if d.Outcome == s.want && d.Node == s.on {
			return ""
		}
	}
	return fmt.Sprintf("no delivery that is %s names %s", s.want, s.on)
}
