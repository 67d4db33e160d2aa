package run

import "sync/atomic"

// A Crew runs short functions in goroutines of a group that it uses again: the stack of a fresh one grows under the first function,
// step by step, each time.
type Crew struct {
	group *Group
	next  chan func()
	idle  atomic.Int64
	most  int64
}

// NewCrew makes a crew of which at most so many goroutines wait for more to do. They wait until the group is asked to stop.
func NewCrew(g *Group, most int) *Crew {
	return &Crew{group: g, next: make(chan func()), most: int64(most)}
}

// Go runs fn in a goroutine of the group. It reports false, and runs nothing, once the group has been stopped.
func (c *Crew) Go(fn func()) bool {
	select {
	case c.next <- fn:
		return true
	default:
		return c.group.Go(func() { c.work(fn) })
	}
}

func (c *Crew) work(fn func()) {
	for {
		fn()
		if c.idle.Add(1) > c.most {
			c.idle.Add(-1)
			return
		}
		select {
		case fn = <-c.next:
			c.idle.Add(-1)
		case <-c.group.Context().Done():
			return
		}
	}
}
