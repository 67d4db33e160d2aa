package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// A way is what a node does with Redis, tried on a channel of its own.
type way struct {
	*diagnosis
	lane    *redis.PubSub
	channel string
	held    bool // Redis has confirmed the channel
}

// ways tries, with the rights that the URL gives, everything that a node does.
func (d *diagnosis) ways(ctx context.Context) error {
	listening, err := d.dialer.open(ctx, false)
	if err != nil {
		return err
	}
	defer listening.close()
	w := &way{diagnosis: d, lane: listening.client.Subscribe(ctx), channel: d.prefix + "doctor:" + uuid.NewString()}
	for _, try := range []func(context.Context) error{w.subscribe, w.subscribePattern, w.count, w.publish, w.transaction, w.kill} {
		if err := try(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *way) user() string { return cmp.Or(w.dialer.options.Username, "default") }

// refused says what to allow where Redis refused a command, and passes other errors on.
func (w *way) refused(check, rights string, err error) error {
	switch {
	case !isReply(err):
		return err
	case !replied(err, "NOPERM"):
		w.fault(check, "", "refused: %v", err)
	case strings.Contains(err.Error(), "channel"):
		w.fault(check, w.command(fmt.Sprintf("ACL SETUSER %s '&%s*'", w.user(), w.prefix)), "refused: %v", err)
	default:
		w.fault(check, w.command(fmt.Sprintf("ACL SETUSER %s %s", w.user(), rights)), "refused: %v", err)
	}
	return nil
}

// confirmation waits for Redis to confirm a command of the lane.
func (w *way) confirmation(ctx context.Context) error {
	_, err := w.lane.ReceiveTimeout(ctx, w.dialer.timeout)
	return err
}

func (w *way) subscribe(ctx context.Context) error {
	err := w.lane.Subscribe(ctx, w.channel)
	if err == nil {
		err = w.confirmation(ctx)
	}
	if err != nil {
		return w.refused("subscribe", "+subscribe +unsubscribe", err)
	}
	w.held = true
	w.good("subscribe", "allowed below %s", w.prefix)
	return nil
}

// subscribePattern can only try a pattern of its own, which Redis compares with the rules literally.
func (w *way) subscribePattern(ctx context.Context) error {
	const check = "patterns"
	err := w.lane.PSubscribe(ctx, w.channel+":*")
	if err == nil {
		err = w.confirmation(ctx)
	}
	switch {
	case err == nil:
		w.good(check, "allowed below %s", w.prefix)
	case replied(err, "NOPERM") && strings.Contains(err.Error(), "channel"):
		w.note(check, "", "each pattern of a program needs a rule of its own, as in &%sa:topic:chat.*; serve has none", w.prefix)
	default:
		return w.refused(check, "+psubscribe +punsubscribe", err)
	}
	return nil
}

func (w *way) count(ctx context.Context) error {
	counts, err := w.link.client.PubSubNumSub(ctx, w.channel).Result()
	if err != nil {
		return w.refused("count", "'+pubsub|numsub'", err)
	}
	if n := counts[w.channel]; w.held && n != 1 {
		w.fault("count", "give the Redis itself, with nothing in between", "one connection subscribes, and %d are counted", n)
		return nil
	}
	w.good("count", "subscribers are counted")
	return nil
}

// publish sends a message, and waits for it where the channel is held.
func (w *way) publish(ctx context.Context) error {
	const check = "publish"
	start := time.Now()
	if err := w.link.client.Publish(ctx, w.channel, "doctor").Err(); err != nil {
		return w.refused(check, "+publish", err)
	}
	if !w.held {
		w.note(check, "", "allowed below %s; whether it arrives was not seen", w.prefix)
		return nil
	}
	got, err := w.lane.ReceiveTimeout(ctx, w.dialer.timeout)
	if err != nil {
		return fmt.Errorf("what was published did not come back: %w", err)
	}
	if m, ok := got.(*redis.Message); !ok || m.Payload != "doctor" {
		w.fault(check, "give the Redis itself, with nothing in between", "what came back is not what was published: %v", got)
		return nil
	}
	w.good(check, "what was published came back after %v", time.Since(start).Round(time.Microsecond))
	return nil
}

// transaction tries what proves that nobody is there.
func (w *way) transaction(ctx context.Context) error {
	const check = "transaction"
	_, err := w.link.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.PubSubNumSub(ctx, w.channel)
		p.Publish(ctx, w.channel, "doctor")
		return nil
	})
	if replied(err, "OOM") {
		w.fault(check, w.command("CONFIG SET maxmemory 0"), "refused, so that no_receiver can't be told from unknown: %v", err)
		return nil
	}
	if err != nil {
		return w.refused(check, "+multi +exec", err)
	}
	w.good(check, "MULTI and EXEC are allowed")
	return nil
}

// kill tries what ends a lane's former connection, by an address that no connection has.
func (w *way) kill(ctx context.Context) error {
	const check = "former connections"
	if w.embedded {
		return nil
	}
	err := errors.Join(w.link.client.Do(ctx, "CLIENT", "INFO").Err(), w.link.client.ClientKillByFilter(ctx, "ADDR", "0.0.0.0:0").Err())
	switch {
	case err == nil:
		w.good(check, "can be ended")
	case isReply(err):
		w.note(check, w.command(fmt.Sprintf("ACL SETUSER %s '+client|info' '+client|kill'", w.user())), "a lane that comes back can't end its "+
			"former connection, which is counted until Redis finds out: %v", strings.ReplaceAll(err.Error(), "\n", "; "))
	default:
		return err
	}
	return nil
}
