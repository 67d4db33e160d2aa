package method

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/rpc" //nolint:depguard // an actor is above it, as a stranger's program
)

// An order is what a method is called with.
type order struct {
	history.Key
	Millis int `json:"millis"`
}

// drainTime is within what an instance that was asked to end has answered what it had taken.
const drainTime = 10 * time.Second

// Serve serves methods until ctx ends, and drains. It calls ready when it can be called.
func Serve(ctx context.Context, s *actor.Settings, ready func()) error {
	return actor.Live(ctx, s, func(ctx context.Context, a *actor.Actor) error {
		b, err := a.Join(ctx)
		if err != nil {
			return err
		}
		server, err := rpc.NewServer(b, &rpc.ServerOptions{Logger: a.Logger})
		if err != nil {
			return errors.Join(err, b.Close())
		}
		h := &hands{actor: a}
		for _, name := range []string{history.Quick, history.Steady, history.Long, history.Bad} {
			rpc.Handle(server, name, h.do)
		}
		rpc.Handle(server, history.Safe, h.do, rpc.Idempotent())
		if err := actor.Insist(ctx, func() error { return server.Start(ctx) }); err != nil {
			return errors.Join(err, server.Close(), b.Close())
		}
		ready()
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		_ = server.Drain(drain) // what was not answered in time is for the judge
		_ = b.Drain(drain)      // likewise
		return errors.Join(server.Close(), b.Close())
	})
}

// hands are those of an instance.
type hands struct {
	actor *actor.Actor
	turns atomic.Int64
}

// do is the handler of all methods.
func (h *hands) do(ctx context.Context, o order) (history.Key, error) {
	turn := &history.Turn{Key: o.Key, Number: int(h.turns.Add(1))}
	h.actor.Log.Append(history.Event{Kind: history.Ran, Actor: h.actor.Name, Turn: turn})
	text := ""
	if o.Millis > 0 && !pause.For(ctx, time.Duration(o.Millis)*time.Millisecond) {
		text = fmt.Sprint(context.Cause(ctx))
	}
	h.actor.Log.Append(history.Event{Kind: history.RanOut, Actor: h.actor.Name, Turn: turn, Text: text})
	if rpc.RequestFrom(ctx).Method == history.Bad {
		return o.Key, rpc.Errorf(history.Bad, "it is")
	}
	return o.Key, context.Cause(ctx)
}
