package chaos

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/ackbus/ackbus/internal/chaos/aof"
	"github.com/ackbus/ackbus/internal/chaos/history"
)

// keep is what Redis must be told so that it keeps what it has through a kill: what it appended is the kernel's then, and no disk is
// waited for. The file is a witness of what became of jobs.
func (c *cluster) keep() []string {
	return []string{"--dir", c.opts.Dir, "--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0"}
}

// tellJobs writes down what Redis's file says of all jobs.
func (c *cluster) tellJobs() error {
	records, err := aof.Read(filepath.Join(c.opts.Dir, "appendonlydir"))
	if err != nil {
		return err
	}
	for id, r := range records {
		j := &history.Job{ID: id, TakenIn: r.TakenIn, Done: r.Done, DoneBy: r.DoneBy, Dead: r.Dead, Code: r.Code,
			Flushed: r.Flushed, Lost: r.Lost}
		for _, s := range r.Starts {
			j.Tokens = append(j.Tokens, s.Token)
		}
		if len(j.Tokens) > 0 && r.Deleted > 0 && r.Done+r.Dead == 0 { // done and not kept: nobody deletes jobs here that are not dead
			j.Done = 1
		}
		c.log.Append(history.Event{Kind: history.Kept, Job: j})
	}
	return nil
}

// countKeys counts the keys that Redis holds, but for what a queue leaves behind by design, and what goes by itself.
func (c *cluster) countKeys(ctx context.Context) (n int, err error) {
	admin := c.redis.Client()
	defer admin.Close()
	keys := admin.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		if name := keys.Val(); ofQueue(name) {
			continue
		}
		left, err := admin.TTL(ctx, keys.Val()).Result()
		if err != nil {
			return 0, err
		}
		if left < 0 {
			n++
		}
	}
	return n, keys.Err()
}

// ofQueue reports whether a key stays of a queue without jobs: its name, its lines and its counters.
func ofQueue(key string) bool {
	_, part, ok := strings.Cut(key, "}:")
	return key == "queues" || strings.HasSuffix(key, ":queues") || ok && (strings.HasPrefix(part, "wait:") || part == "meta")
}
