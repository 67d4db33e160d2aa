package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/pause"
)

const (
	// delaysEvery is how often processes are asked how long they waited.
	delaysEvery = 20 * time.Millisecond
	// worthwhile is how long a wait for a processor must be to be written down.
	worthwhile = time.Millisecond
	// serious is how long it must be for its place between two looks to matter.
	serious = 10 * time.Millisecond
)

// A delays is how long the threads of each process waited for a processor, as the kernel counts it (proc_pid_schedstat(5), Linux alone). A
// watchdog within a process misses that: the one thread that holds a lock may wait while the watchdog's own runs. A wait is counted when it
// is over.
type delays struct {
	log *history.Log

	mu   sync.Mutex        // guards all below
	pids map[string]int    // by actor
	last map[string]uint64 // by thread's file: nanoseconds waited when it was last read
	at   int64             // when that was
}

func newDelays(log *history.Log) *delays {
	return &delays{log: log, pids: make(map[string]int), last: make(map[string]uint64)}
}

// set says which process an actor is; 0: none.
func (d *delays) set(actor string, pid int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if pid == 0 {
		delete(d.pids, actor)
	} else {
		d.pids[actor] = pid
	}
}

// watch writes delays down until ctx ends. redis gives the process of Redis, which changes.
func (d *delays) watch(ctx context.Context, redis func() int) {
	for pause.For(ctx, delaysEvery) {
		d.set("redis", redis())
		d.mu.Lock()
		seen := make(map[string]uint64, len(d.last))
		for actor, pid := range d.pids {
			d.readLocked(actor, pid, seen)
		}
		d.last, d.at = seen, d.log.Now()
		d.mu.Unlock()
	}
}

// readLocked looks at all threads of a process. Of several that waited the longest counts.
func (d *delays) readLocked(actor string, pid int, seen map[string]uint64) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return
	}
	var longest uint64
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		var ran, waited uint64
		if _, err := fmt.Sscan(string(text), &ran, &waited); err != nil {
			continue
		}
		if before, known := d.last[path]; known {
			longest = max(longest, waited-before)
		}
		seen[path] = waited
	}
	since := d.log.Now() - int64(longest)
	if longest >= uint64(serious) {
		since = d.at - int64(longest) // it may have been over right after the last look
	}
	if longest >= uint64(worthwhile) {
		d.log.Append(history.Event{Kind: history.Stalled, Actor: actor, Since: since})
	}
}
