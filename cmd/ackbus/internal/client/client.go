package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ackbus/ackbus/internal/pause"
)

// Between two tries to connect the client waits from leastPause to mostPause.
const (
	leastPause = 200 * time.Millisecond
	mostPause  = 15 * time.Second
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
	tries int // connections that failed or fell, without a welcome in between
}

// Run connects and takes messages until ctx ends, Options.Count is reached, the handler leaves, or the server refuses
// the client (ErrRefused); with Options.Once also until the connection falls. ctx bounds its life; its end is no error.
func Run(ctx context.Context, o Options) error {
	c := &client{opts: o.withDefaults(), seen: newSeen()}
	if _, err := parseURL(&c.opts); err != nil {
		return err
	}
	for {
		s, err := c.open(ctx)
		if err == nil {
			c.tries = 0
			err = s.run(ctx)
		}
		if c.done(ctx, err) {
			return nil
		}
		if c.opts.Once || errors.Is(err, ErrRefused) {
			return err
		}
		wait := c.wait(s)
		c.opts.Logger.Warn("not connected", "url", c.opts.URL, "error", err, "again_in", wait.Round(time.Millisecond))
		if !pause.For(ctx, wait) {
			return nil
		}
	}
}

// wait is how long to wait after the session, which is nil where there was none: what the server asked for and up to a half more, or ever
// longer.
func (c *client) wait(s *session) time.Duration {
	if s != nil && s.reconnect > 0 {
		return s.reconnect + rand.N(s.reconnect/2+1)
	}
	c.tries++
	return pause.Before(c.tries, leastPause, mostPause)
}

// done reports whether a session ended because the client was to end.
func (c *client) done(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, errEnough) || errors.Is(err, errLeft)
}
