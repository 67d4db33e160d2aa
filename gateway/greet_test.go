package gateway

import (
	"context"
	"errors"
	"testing"

	"github.com/ackbus/ackbus/bus"
)

// A scripted backbone does something between the attaching and its return.
type scripted struct {
	backbone
	attached func(e bus.Endpoint) error
}

func (b scripted) Attach(ctx context.Context, e bus.Endpoint, who bus.Profile, to ...bus.Address) (attachment, error) {
	a, err := b.backbone.Attach(ctx, e, who, to...)
	if err != nil {
		return nil, err
	}
	if err := b.attached(e); err != nil {
		a.Detach()
		return nil, err
	}
	return a, nil
}

func (r *rig) openScripted(attached func(e bus.Endpoint) error) {
	r.tb.Helper()
	g, err := newGateway(scripted{busBackbone{r.bus}, attached}, "gw-1", r.bus.Unreachable, quiet(nil))
	if err != nil {
		r.tb.Fatal(err)
	}
	r.serve(g)
}

// TestMessageBeforeWelcome brings messages after the addresses stand and before the client was told so.
func TestMessageBeforeWelcome(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newBuses(t)
		r.openScripted(func(e bus.Endpoint) error {
			s := e.(*session)
			_, err := r.publisher.Request(r.ctx(), bus.User("42"), "volatile", bus.JSON(0), bus.Volatile())
			if !errors.Is(err, bus.ErrDropped) {
				t.Errorf("volatile to a socket that is not ready: %v", err)
			}
			for i := range 3 {
				if _, err := r.publisher.Publish(r.ctx(), bus.User("42"), "early", bus.JSON(i)); err != nil {
					return err
				}
			}
			eventually(t, "they wait", func() bool { return s.waiting() == 3 })
			return nil
		})
		c := r.connect(subprotocol, "")
		c.say(fields{"type": "hello", "user": "42"})
		c.expect("welcome")
		for range 3 {
			if f := c.expect("message"); f["event"] != "early" {
				t.Errorf("frame = %v", f)
			}
		}
		s := r.only()
		eventually(t, "nothing waits", func() bool { return s.waiting() == 0 && r.gateway.budget.used.Load() == 0 })
	})
}

func TestAttachFails(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newBuses(t)
		result := make(chan error, 1)
		r.openScripted(func(e bus.Endpoint) error {
			r.group.Go(func() {
				_, err := r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.JSON(0))
				result <- err
			})
			eventually(t, "the request waits", func() bool { return e.(*session).waiting() == 1 })
			return errors.New("Redis is gone")
		})
		c := r.connect(subprotocol, "")
		c.say(fields{"type": "hello", "user": "42"})
		if last := c.expectClose(1001); subprotocol == "" && last["code"] != "internal" {
			t.Errorf("last frame = %v", last)
		}
		if err := <-result; !errors.Is(err, bus.ErrClosed) {
			t.Errorf("what came early: %v, want closed", err)
		}
	})
}
