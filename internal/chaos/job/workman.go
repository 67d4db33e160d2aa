package job

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/worker" //nolint:depguard // an actor is above it, as a stranger's program
)

// Queue is the one that all jobs go to.
const Queue = "chaos"

// An order is what a job asks for.
type order struct {
	history.Key
	Manner string `json:"manner"`
	Millis int    `json:"millis"`
}

const (
	// drainTime is within what a workman that was asked to end has finished what he works at.
	drainTime = 10 * time.Second
	// places is how many jobs a workman works at.
	places = 10
)

// Work works until ctx ends, and drains. It calls ready when it is about to begin.
func Work(ctx context.Context, s *actor.Settings, ready func()) error {
	return actor.Live(ctx, s, func(ctx context.Context, a *actor.Actor) error {
		jobs, leave, err := open(ctx, a)
		if err != nil {
			return err
		}
		pool := jobs.Pool(&worker.PoolOptions{Drain: drainTime})
		h := &hands{actor: a}
		worker.Handle(pool, Queue, h.do, worker.Concurrency(places))
		ready()
		return errors.Join(pool.Run(ctx), leave())
	})
}

// open joins the bus and opens the queues; leave closes both.
func open(ctx context.Context, a *actor.Actor) (jobs *worker.Jobs, leave func() error, err error) {
	b, err := a.Join(ctx)
	if err != nil {
		return nil, nil, err
	}
	err = actor.Insist(ctx, func() (err error) {
		jobs, err = worker.Open(ctx, b, a.Redis, &worker.Options{Logger: a.Logger})
		return err
	})
	if err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	return jobs, func() error { return errors.Join(jobs.Close(), b.Close()) }, nil
}

// hands are those of a workman.
type hands struct {
	actor *actor.Actor
	turns atomic.Int64
}

var (
	errFlaky = errors.New("it fails once")
	errBad   = errors.New("it can't be done")
)

// do is the handler.
func (h *hands) do(ctx context.Context, o order) (history.Key, error) {
	j, ok := worker.JobOf(ctx)
	if !ok {
		return o.Key, fmt.Errorf("no job in the context of %+v", o)
	}
	turn := &history.Turn{Key: o.Key, Number: int(h.turns.Add(1)), Job: string(j.ID), Attempt: j.Attempt, Token: j.Token}
	h.actor.Log.Append(history.Event{Kind: history.Started, Actor: h.actor.Name, Turn: turn})
	err := o.carryOut(ctx, j.Attempt)
	e := history.Event{Kind: history.Finished, Actor: h.actor.Name, Turn: turn}
	if err != nil {
		e.Text = err.Error()
	}
	h.actor.Log.Append(e)
	return o.Key, err
}

func (o *order) carryOut(ctx context.Context, attempt int) error {
	if o.Millis > 0 && !pause.For(ctx, time.Duration(o.Millis)*time.Millisecond) {
		return context.Cause(ctx)
	}
	switch {
	case o.Manner == history.Bad:
		return worker.Reject(errBad)
	case o.Manner == history.Flaky && attempt == 1:
		return errFlaky
	}
	return nil
}
