package main

import (
	"context"
	"errors"
	"strings"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/internal/run"
)

const (
	floorRequests = "bench:floor:requests"
	floorReplies  = "bench:floor:replies"
)

// A hop is one side of the floor: it waits on one connection and publishes on another.
type hop struct {
	in, out *raw
	publish []byte
}

func openHop(ctx context.Context, redis, from, to string) (*hop, error) {
	in, err := dialRaw(ctx, redis)
	if err != nil {
		return nil, err
	}
	out, err := dialRaw(ctx, redis)
	if err != nil {
		return nil, errors.Join(err, in.close())
	}
	h := &hop{in: in, out: out, publish: command("PUBLISH", to, strings.Repeat("x", role.BodySize))}
	if err := in.subscribe(from); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *hop) close() error { return errors.Join(h.in.close(), h.out.close()) }

// floorRequester publishes, waits for the answer, and only then reads the count: nothing shorter is a round trip.
func floorRequester(ctx context.Context, b role.Brief) (*role.Actor, error) {
	h, err := openHop(ctx, b.Redis, floorReplies, floorRequests)
	if err != nil {
		return nil, err
	}
	counted := true
	call := func(context.Context, int) error {
		if !counted {
			if _, err := h.out.number(); err != nil {
				return err
			}
		}
		counted = false
		if err := h.out.write(h.publish); err != nil {
			return err
		}
		return h.in.message()
	}
	return &role.Actor{Call: call, Close: h.close}, nil
}

// floorResponder answers each message with one of its own.
func floorResponder(ctx context.Context, b role.Brief) (*role.Actor, error) {
	h, err := openHop(ctx, b.Redis, floorRequests, floorReplies)
	if err != nil {
		return nil, err
	}
	group := run.New(ctx)
	var failure error
	group.Go(func() {
		for failure == nil {
			if failure = h.in.message(); failure == nil {
				failure = h.out.write(h.publish)
			}
			if failure == nil {
				_, failure = h.out.number()
			}
		}
	})
	return &role.Actor{Close: func() error {
		err := h.close()
		group.Stop()
		group.Wait()
		if !hungUp(failure) {
			return errors.Join(err, failure)
		}
		return err
	}}, nil
}
