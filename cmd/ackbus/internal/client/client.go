package client

import (
	"context"
	"errors"
	"time"
)

// Why a session ends by itself.
var (
	errEnough = errors.New("client: enough messages")
	errLeft   = errors.New("client: the handler left")
	errWrite  = errors.New("client: an acknowledgement could not be written")
)

// A client is what outlives its connections.
type client struct {
	opts  Options
	seen  *seen
	taken int // messages handled
}

// Run connects and takes messages until ctx ends, Options.Count is reached, the handler leaves, or the server refuses
// the client (ErrRefused); with Options.Once also until the connection falls. ctx bounds its life; its end is no error.
func Run(ctx context.Context, o Options) error {
	c := &client{opts: o.withDefaults(), seen: newSeen()}
	if _, err := parseURL(&c.opts); err != nil {
		return err
	}
	wait := newBackoff()
	for {
		s, err := c.open(ctx)
		if err == nil {
			wait = newBackoff()
			err = s.run(ctx)
		}
		if c.done(ctx, err) {
			return nil
		}
		if c.opts.Once || errors.Is(err, ErrRefused) {
			return err
		}
		pause := wait.next()
		if s != nil && s.reconnect > 0 {
			pause = jitter(s.reconnect)
		}
		c.opts.Logger.Warn("not connected", "url", c.opts.URL, "error", err, "again_in", pause.Round(time.Millisecond))
		if !sleep(ctx, pause) {
			return nil
		}
	}
}

// done reports whether a session ended because the client was to end.
func (c *client) done(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, errEnough) || errors.Is(err, errLeft)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
