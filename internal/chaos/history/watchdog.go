package history

import (
	"context"
	"time"
)

const (
	watchEvery = 4 * time.Millisecond
	// worthTelling is how late the watchdog must be for that to be a stall.
	worthTelling = time.Millisecond
)

// Watch appends an event whenever the process did not run for a while: no time slice, a stop, a pause of the runtime. It returns when ctx
// ends, and belongs into a goroutine of its own.
func (l *Log) Watch(ctx context.Context, actor string) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last := l.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := l.Now()
		since := last + watchEvery.Nanoseconds()
		late := now - since
		if late > watchEvery.Nanoseconds() {
			since = last // it may have begun right after the last tick
		}
		if late > worthTelling.Nanoseconds() {
			l.Append(Event{Kind: Stalled, Actor: actor, Since: since})
		}
		last = now
	}
}
