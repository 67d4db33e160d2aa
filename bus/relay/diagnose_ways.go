package relay

import (
	"context"
	"errors"
	"os"
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
	listening, err := d.dialer.open(ctx)
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

// refused says what to allow where Redis refused a command, and passes other errors on.
func (w *way) refused(check, rights string, err error) error {
	switch {
	case !isReply(err):
		return err
	case !strings.Contains(err.Error(), "NOPERM"): // which EXEC tells within an EXECABORT
		w.faultf(check, "", "refused: %v", err)
	case strings.Contains(err.Error(), "channel"):
		w.faultf(check, w.right("'&"+w.prefix+"*'"), "refused: %v", err)
	default:
		w.faultf(check, w.right(rights), "refused: %v", err)
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
	w.goodf("subscribe", "allowed below %s", w.prefix)
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
		w.goodf(check, "allowed below %s", w.prefix)
	case replied(err, "NOPERM") && strings.Contains(err.Error(), "channel"):
		w.notef(check, "", "each pattern of a program needs a rule of its own, as in &%sa:topic:chat.*; serve has none", w.prefix)
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
		w.faultf("count", "give the Redis itself, with nothing in between", "one connection subscribes, and %d are counted", n)
		return nil
	}
	w.goodf("count", "subscribers are counted")
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
		w.notef(check, "", "allowed below %s; whether it arrives was not seen", w.prefix)
		return nil
	}
	got, err := w.lane.ReceiveTimeout(ctx, w.dialer.timeout)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.faultf(check, "give the Redis itself, with nothing in between", "what was published did not come back within %v",
			w.dialer.timeout)
		return nil
	}
	if err != nil {
		return err
	}
	if m, ok := got.(*redis.Message); !ok || m.Payload != "doctor" {
		w.faultf(check, "give the Redis itself, with nothing in between", "what came back is not what was published: %v", got)
		return nil
	}
	w.goodf(check, "what was published came back after %v", time.Since(start).Round(time.Microsecond))
	return nil
}

// transaction tries what proves that nobody is there, on a connection that nobody else needs afterwards.
func (w *way) transaction(ctx context.Context) error {
	const check = "transaction"
	l, err := w.dialer.open(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.greet(ctx, w.dialer.timeout); err != nil {
		return err
	}
	switch err := l.transact(time.Now().Add(w.dialer.timeout), w.channel); {
	case err == nil:
		w.goodf(check, "MULTI and EXEC are allowed")
	case replied(err, "OOM"):
		w.faultf(check, w.command("CONFIG SET maxmemory 0"), "refused, so that no_receiver can't be told from unknown: %v", err)
	default:
		return w.refused(check, "+multi +exec +publish '+pubsub|numsub'", err)
	}
	return nil
}

// transact runs a guarded PUBLISH, and returns the first refusal.
func (l *link) transact(deadline time.Time, channel string) (refused error) {
	if err := l.wire.SetDeadline(deadline); err != nil {
		return err
	}
	commands := [][]string{{"MULTI"}, {"PUBSUB", "NUMSUB", channel}, {"PUBLISH", channel, "doctor"}, {"EXEC"}}
	for _, c := range commands {
		writeCommand(l.out, c...)
	}
	if err := l.out.Flush(); err != nil {
		return err
	}
	for range commands {
		v, err := l.in.next()
		if err != nil {
			return err
		}
		if refused == nil {
			refused = v.err()
		}
	}
	return refused
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
		w.goodf(check, "can be ended")
	case isReply(err):
		w.notef(check, w.right("'+client|info' '+client|kill'"), "a lane that comes back can't end its "+
			"former connection, which is counted until Redis finds out: %v", strings.ReplaceAll(err.Error(), "\n", "; "))
	default:
		return err
	}
	return nil
}
