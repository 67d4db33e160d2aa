package method

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/ackbus/ackbus/bus" //nolint:depguard // an actor is above it, as a stranger's program
	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/rpc" //nolint:depguard // likewise
)

// inFlight is how many calls may be under way; what comes due beyond that is left out.
const inFlight = 1024

// A caller calls methods.
type caller struct {
	actor    *actor.Actor
	client   *rpc.Client
	chance   *rand.Rand // of the one goroutine that begins calls
	numbered int
	calls    *run.Group
	slots    chan struct{}
}

// Call calls methods until ctx ends, and returns when what is under way has ended. It calls ready when it is about to begin.
func Call(ctx context.Context, s *actor.Settings, ready func()) error {
	return actor.Live(ctx, s, func(ctx context.Context, a *actor.Actor) error {
		b, err := a.Join(ctx)
		if err != nil {
			return err
		}
		client, err := rpc.NewClient(b, &rpc.ClientOptions{Logger: a.Logger})
		if err != nil {
			return errors.Join(err, b.Close())
		}
		c := &caller{actor: a, client: client, chance: rand.New(rand.NewPCG(s.Seed, 2)), calls: run.New(context.WithoutCancel(ctx)),
			slots: make(chan struct{}, inFlight)}
		ready()
		a.Pace(ctx, c.begin)
		c.calls.Stop()
		c.calls.Wait()
		return errors.Join(client.Close(), b.Close())
	})
}

// A plan is one call to make.
type plan struct {
	manner  string
	millis  int // that the method takes
	timeout time.Duration
	quits   time.Duration // when the caller gives up, before the time is over; 0: it does not
	sticks  bool          // to the instance of a key
}

func (c *caller) draw() plan {
	between := func(least, most int) int { return least + c.chance.IntN(most-least) }
	p := plan{manner: history.Quick, timeout: time.Duration(between(1500, 5000)) * time.Millisecond}
	switch n := c.chance.IntN(100); {
	case n < 45:
	case n < 50:
		p.sticks = true
	case n < 54: // in a hurry
		p.timeout = time.Duration(between(5, 200)) * time.Millisecond
	case n < 70:
		p.manner, p.millis = history.Steady, between(20, 400)
	case n < 82:
		p.manner, p.millis = history.Safe, between(5, 300)
	case n < 87:
		p.manner, p.millis = history.Long, between(500, 1200)
	case n < 91: // its time is over before
		p.manner, p.millis, p.timeout = history.Long, 3000, time.Duration(between(100, 900))*time.Millisecond
	case n < 95: // likewise, and it says so
		p.manner, p.millis, p.quits = history.Long, 3000, time.Duration(between(20, 800))*time.Millisecond
	case n < 98:
		p.manner = history.Bad
	default:
		p.manner = history.Absent
	}
	return p
}

// begin draws a plan and starts it, unless too much is under way.
func (c *caller) begin() {
	p := c.draw()
	select {
	case c.slots <- struct{}{}:
	default:
		return
	}
	c.numbered++
	key := history.Key{Publisher: c.actor.Name, Number: c.numbered}
	c.calls.Go(func() {
		defer func() { <-c.slots }()
		c.call(key, &p)
	})
}

// call makes one call. What ends it is its own deadline, or its giving up.
func (c *caller) call(key history.Key, p *plan) {
	begin := c.actor.Log.Now()
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	task := &history.Task{Key: key, Manner: p.manner, Millis: p.millis, Deadline: begin + p.timeout.Nanoseconds()}
	if p.quits > 0 {
		task.Quits = begin + p.quits.Nanoseconds()
		giveUp := time.AfterFunc(p.quits, cancel)
		defer giveUp.Stop()
	}
	c.actor.Log.Append(history.Event{At: begin, Kind: history.Called, Actor: c.actor.Name, Task: task})
	var receipt *bus.Receipt
	opts := []rpc.CallOption{rpc.Trace(&receipt)}
	if p.sticks {
		opts = append(opts, rpc.Affinity(strconv.Itoa(key.Number%16)))
	}
	answer, err := rpc.Call[history.Key](ctx, c.client, p.manner, order{key, p.millis}, opts...)
	e := history.Event{At: c.actor.Log.Now(), Kind: history.Returned, Actor: c.actor.Name, Outcome: &history.Outcome{
		Key: key, Code: string(rpc.CodeOf(err))}}
	if err == nil {
		e.Outcome.Answer = &answer
	} else {
		e.Outcome.Detail, e.Outcome.Ran = err.Error(), rpc.MayHaveRun(err)
	}
	if receipt != nil && len(receipt.Deliveries) > 0 {
		e.Outcome.Node = receipt.Deliveries[0].Node
	}
	c.actor.Log.Append(e)
}
