package main

import (
	"context"
	"errors"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// fillDeaf publishes until the kernel takes no more for the client that does not read: what comes after waits in line.
func fillDeaf(ctx context.Context, c *cluster) error {
	const most = 1000 // 64 MB, more than any kernel buffers for a connection
	filling := bus.Bytes(make([]byte, 64<<10))
	for range most {
		if _, err := c.nodes[0].bus.Publish(ctx, bus.User("deaf"), "filling", filling); err != nil {
			return err
		}
		// Twice: a busy machine may take its time for one.
		if full, err := c.stuck(ctx, "deaf"); err != nil || !full {
			if err != nil {
				return err
			}
			continue
		}
		if full, err := c.stuck(ctx, "deaf"); err != nil || full {
			return err
		}
	}
	return errors.New("the client that does not read was never full")
}

// stuck reports whether a message to the user is not even written for a while.
func (c *cluster) stuck(ctx context.Context, user string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, err := c.nodes[0].bus.Request(ctx, bus.User(user), "probe", bus.Body{}, bus.WithLevel(bus.Written))
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, bus.ErrExpired), errors.Is(err, bus.ErrUnknown): // unknown: its node was late to say so
		return true, nil
	}
	return false, err
}
