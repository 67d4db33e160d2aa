package chaos

import (
	"context"
	"slices"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// playerKinds are faults of publishers, of those who serve and call methods, and of those who work at and enqueue jobs.
func playerKinds() []kind {
	return slices.Concat(
		killedAndStopped("publisher", publishers, func(c *cluster) []*player { return c.publishers }),
		killedAndStopped("caller", callers, func(c *cluster) []*player { return c.callers }),
		killedAndStopped("clerk", clerks, func(c *cluster) []*player { return c.clerks }),
		killedStoppedAndDrained("instance", instances, func(c *cluster) []*player { return c.instances }),
		killedStoppedAndDrained("worker", workmen, func(c *cluster) []*player { return c.workmen }),
	)
}

// killedAndStopped is what can happen to anybody.
func killedAndStopped(name string, targets int, who func(c *cluster) []*player) []kind {
	const ms, s = time.Millisecond, time.Second
	touches := func(c *cluster, target int) []string { return []string{who(c)[target].name} }
	there := func(c *cluster) bool { return len(who(c)) > 0 }
	return []kind{
		{name: name + " killed", least: 50 * ms, most: 2 * s, targets: targets, touches: touches, possible: there, does: history.Kills,
			begin: func(_ context.Context, c *cluster, target int) error {
				who(c)[target].proc.kill()
				return nil
			},
			heal: func(ctx context.Context, c *cluster, target int) error { return c.startPlayer(ctx, who(c)[target]) }},
		{name: name + " stopped", least: 100 * ms, most: 6 * s, targets: targets, touches: touches, possible: there,
			begin: func(_ context.Context, c *cluster, target int) error { return who(c)[target].proc.signal(stopSignal) },
			heal:  func(_ context.Context, c *cluster, target int) error { return who(c)[target].proc.signal(goOnSignal) }},
	}
}

// killedStoppedAndDrained is what can happen to who serves others.
func killedStoppedAndDrained(name string, targets int, who func(c *cluster) []*player) []kind {
	all := killedAndStopped(name, targets, who)
	all[1].does, all[1].grave = history.Silences, silence
	return append(all, kind{name: name + " drained", least: 0, most: time.Second, targets: targets, touches: all[0].touches,
		does: history.Drains, possible: all[0].possible,
		begin: func(_ context.Context, c *cluster, target int) error { return who(c)[target].drain() },
		heal:  all[0].heal})
}
