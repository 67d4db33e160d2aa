package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/ackbus/ackbus/internal/pause"
)

// redisKinds are faults of Redis: of its process, and what an operator or another program may do to it.
func redisKinds() []kind {
	const ms, s = time.Millisecond, time.Second
	set := func(pairs ...any) func(context.Context, *cluster, int) error {
		return func(ctx context.Context, c *cluster, _ int) error {
			return c.tell(ctx, append([]any{"CONFIG", "SET"}, pairs...)...)
		}
	}
	say := func(words ...any) func(context.Context, *cluster, int) error {
		return func(ctx context.Context, c *cluster, _ int) error { return c.tell(ctx, words...) }
	}
	all := []kind{
		{name: "redis killed", least: 0, most: 3 * s, begin: killRedis, heal: restartRedis},
		{name: "redis killed and emptied", least: 0, most: 3 * s, begin: emptyRedis, heal: restartRedis},
		{name: "redis paused", least: 100 * ms, most: 5 * s,
			begin: func(_ context.Context, c *cluster, _ int) error { return c.redis.Pause() },
			heal:  func(_ context.Context, c *cluster, _ int) error { return c.redis.Resume() }},
		{name: "redis flushed", begin: say("FLUSHALL"), heal: nothing},
		{name: "subscribers thrown out", begin: say("CLIENT", "KILL", "TYPE", "pubsub"), heal: nothing},
		{name: "publishers thrown out", begin: say("CLIENT", "KILL", "TYPE", "normal"), heal: nothing},
		{name: "output buffers too small", least: s, most: 5 * s, begin: set("client-output-buffer-limit", "pubsub 20000 0 0"),
			heal: set("client-output-buffer-limit", "pubsub 33554432 8388608 60")},
		{name: "redis out of memory", least: s, most: 5 * s, begin: set("maxmemory", "1"), heal: set("maxmemory", "0")},
		{name: "channels forbidden", least: 100 * ms, most: 4 * s, begin: say("ACL", "SETUSER", "default", "resetchannels"),
			heal: say("ACL", "SETUSER", "default", "allchannels")},
		{name: "publishing forbidden", least: 100 * ms, most: 4 * s, begin: say("ACL", "SETUSER", "default", "-publish"),
			heal: say("ACL", "SETUSER", "default", "+@all")},
	}
	for i := range all {
		all[i].redis, all[i].targets, all[i].touches = true, 1, redisItself
	}
	return all
}

func killRedis(_ context.Context, c *cluster, _ int) error { return c.redis.Kill() }

func emptyRedis(ctx context.Context, c *cluster, _ int) error {
	if err := c.tell(ctx, "FLUSHALL"); err != nil {
		return err
	}
	return c.redis.Kill()
}

func restartRedis(_ context.Context, c *cluster, _ int) error { return c.redis.Restart() }

// tell has Redis do something. Its connections may have been thrown out, also by this.
func (c *cluster) tell(ctx context.Context, words ...any) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	admin := c.redis.Client()
	defer admin.Close()
	for {
		err := admin.Do(ctx, words...).Err()
		if err == nil {
			return nil
		}
		if !pause.For(ctx, 50*time.Millisecond) {
			return fmt.Errorf("chaos: %v: %w", words, err)
		}
	}
}
