package job

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/worker" //nolint:depguard // an actor is above it, as a stranger's program
)

const (
	// inFlight is how many jobs may be waited for; what comes due beyond that is left out.
	inFlight = 1024
	// emptyTime is within what all that was taken in must have been done, once nothing new comes.
	emptyTime = 30 * time.Second
)

// A clerk enqueues jobs.
type clerk struct {
	actor    *actor.Actor
	queue    *worker.Queue
	chance   *rand.Rand // of the one goroutine that begins
	numbered int
	waits    *run.Group
	slots    chan struct{}
}

// Enqueue enqueues jobs until ctx ends, and returns when what was awaited has ended, and the queue is empty or has had its time. It calls
// ready when it is about to begin.
func Enqueue(ctx context.Context, s *actor.Settings, ready func()) error {
	return actor.Live(ctx, s, func(ctx context.Context, a *actor.Actor) error {
		jobs, leave, err := open(ctx, a)
		if err != nil {
			return err
		}
		c := &clerk{actor: a, queue: jobs.Queue(Queue), chance: rand.New(rand.NewPCG(s.Seed, 3)),
			waits: run.New(context.WithoutCancel(ctx)), slots: make(chan struct{}, inFlight)}
		ready()
		a.Pace(ctx, c.begin)
		c.waits.Stop()
		c.waits.Wait()
		c.awaitEmpty(context.WithoutCancel(ctx))
		return leave()
	})
}

// awaitEmpty writes down what the queue holds once that is nothing, or its time is over. Dead letters go first.
func (c *clerk) awaitEmpty(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, emptyTime)
	defer cancel()
	for {
		info, err := c.queue.Info(ctx)
		if err == nil && info.Waiting+info.Running+info.Delayed == 0 {
			_, err = c.queue.DeleteAllDead(ctx)
		}
		empty := err == nil && info.Waiting+info.Running+info.Delayed == 0
		if !empty && pause.For(ctx, 100*time.Millisecond) {
			continue
		}
		c.actor.Log.Append(history.Event{Kind: history.Gauge, Actor: "queue", Text: "start",
			Values: map[string]float64{"waiting": 0, "running": 0, "delayed": 0}})
		if err == nil {
			c.actor.Log.Append(history.Event{Kind: history.Gauge, Actor: "queue", Text: "end", Values: map[string]float64{
				"waiting": float64(info.Waiting), "running": float64(info.Running), "delayed": float64(info.Delayed)}})
		}
		return
	}
}

// A plan is one job to hand over.
type plan struct {
	order

	timeout  time.Duration
	await    bool
	id       string // that the clerk chooses; empty: none
	times    int    // that it is handed over, under that ID
	priority worker.Priority
	delay    time.Duration
	keep     time.Duration
}

func (c *clerk) draw() plan {
	between := func(least, most int) int { return least + c.chance.IntN(most-least) }
	p := plan{order: order{Manner: history.Quick}, timeout: time.Duration(between(4000, 8000)) * time.Millisecond, times: 1,
		await: c.chance.IntN(2) == 0, priority: []worker.Priority{worker.Normal, worker.High, worker.Low}[c.chance.IntN(3)]}
	if !p.await && c.chance.IntN(2) == 0 {
		p.keep = time.Minute
	}
	switch n := c.chance.IntN(100); {
	case n < 50:
	case n < 75:
		p.Manner, p.Millis = history.Steady, between(20, 500)
	case n < 83:
		p.Manner, p.Millis = history.Long, between(800, 3000)
	case n < 89:
		p.Manner, p.timeout = history.Flaky, 8*time.Second
	case n < 93:
		p.Manner = history.Bad
	case n < 96:
		p.delay = time.Duration(between(100, 2000)) * time.Millisecond
	default: // handed over again, as after an answer that was lost
		p.id, p.times, p.await = uuid.NewString(), 2, false
	}
	return p
}

// begin draws a plan and starts it, unless too much is under way.
func (c *clerk) begin() {
	p := c.draw()
	select {
	case c.slots <- struct{}{}:
	default:
		return
	}
	first := c.numbered + 1
	c.numbered += p.times
	p.order.Key = history.Key{Publisher: c.actor.Name, Number: first}
	c.waits.Go(func() {
		defer func() { <-c.slots }()
		c.hand(&p, 0)
		for n := 1; n < p.times; n++ {
			c.hand(&p, n)
		}
	})
}

// hand hands a job over for the nth time, and awaits it if that is the plan.
func (c *clerk) hand(p *plan, n int) {
	begin := c.actor.Log.Now()
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	task := &history.Task{Key: p.order.Key, Manner: p.Manner, Millis: p.Millis, Await: p.await, ID: p.id,
		Deadline: begin + p.timeout.Nanoseconds()}
	task.Delay = p.delay.Nanoseconds()
	if task.Number += n; n > 0 {
		task.First = p.order.Number
	}
	c.actor.Log.Append(history.Event{At: begin, Kind: history.Handed, Actor: c.actor.Name, Task: task})
	opts := []worker.EnqueueOption{worker.WithPriority(p.priority), worker.Keep(p.keep)}
	if p.delay > 0 {
		opts = append(opts, worker.Delay(p.delay))
	}
	if p.id != "" {
		opts = append(opts, worker.WithID(worker.JobID(p.id)))
	}
	outcome := &history.Outcome{Key: task.Key}
	var err error
	if p.await {
		err = c.await(ctx, p, outcome, opts)
	} else {
		var id worker.JobID
		id, err = c.queue.Enqueue(ctx, p.order, opts...)
		outcome.ID = string(id)
	}
	e := history.Event{At: c.actor.Log.Now(), Kind: history.Taken, Actor: c.actor.Name, Outcome: outcome}
	fail(outcome, err)
	c.actor.Log.Append(e)
}

func (c *clerk) await(ctx context.Context, p *plan, outcome *history.Outcome, opts []worker.EnqueueOption) error {
	result, err := c.queue.CallBody(ctx, p.order, opts...)
	if result != nil {
		outcome.ID, outcome.Node, outcome.Attempt = string(result.ID), result.Worker, result.Attempt
	}
	if err != nil {
		return err
	}
	return result.Body.Decode(&outcome.Answer)
}

// fail writes down why a job was not taken in, or not waited for to the end.
func fail(o *history.Outcome, err error) {
	if err == nil {
		return
	}
	o.Detail = err.Error()
	if dead, ok := errors.AsType[*worker.JobError](err); ok {
		o.ID = string(dead.ID)
	}
	if over, ok := errors.AsType[*worker.WaitError](err); ok {
		o.ID, o.Code = string(over.ID), history.WaitOver
		return
	}
	for _, one := range []struct {
		is   error
		code string
	}{{worker.ErrDead, history.Died}, {worker.ErrGone, history.Gone}, {worker.ErrUnavailable, history.Refused},
		{worker.ErrMemory, history.Refused}, {worker.ErrUnknown, history.Maybe}} {
		if errors.Is(err, one.is) {
			o.Code = one.code
			return
		}
	}
	o.Code = "another error"
}
