package chaos

import (
	"context"
	"path/filepath"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/skew"
)

// clockOf is the file that says how far the clock of a node or a player is off, in all of its incarnations.
func (c *cluster) clockOf(base string) string { return filepath.Join(c.opts.Dir, base+".clock") }

// ownClock gives a process a clock of its own, where that can be had, and returns what its environment must say.
func (c *cluster) ownClock(base string) ([]string, error) {
	if !c.opts.Clocks {
		return nil, nil
	}
	if !c.clocks[base] {
		c.clocks[base] = true
		if err := skew.Set(c.clockOf(base), 0); err != nil {
			return nil, err
		}
	}
	return []string{skew.Env + "=" + c.clockOf(base)}, nil
}

// clockKinds are jumps of the wall clock of one process, there and back. They touch nobody: nothing may change by them.
func clockKinds() []kind {
	set := func(off time.Duration) func(context.Context, *cluster, int) error {
		return func(_ context.Context, c *cluster, target int) error {
			return skew.Set(c.clockOf(c.clocked(target)), off)
		}
	}
	jumps := func(name string, off time.Duration) kind {
		return kind{name: name, least: 200 * time.Millisecond, most: 8 * time.Second, does: history.Shifts,
			targets: nodes + publishers + instances + workmen + callers + clerks, touches: func(*cluster, int) []string { return nil },
			possible: func(c *cluster) bool { return c.opts.Clocks && len(c.workmen) > 0 && len(c.instances) > 0 },
			begin:    set(off), heal: set(0)}
	}
	return []kind{jumps("clock set forward", 23*time.Minute), jumps("clock set back", -37*time.Minute)}
}

// clocked names whose clock a target is.
func (c *cluster) clocked(target int) string {
	if target < len(c.nodes) {
		return c.nodes[target].name
	}
	return c.players()[target-len(c.nodes)].base
}
