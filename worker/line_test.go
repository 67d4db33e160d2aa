package worker

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

// Entries of jobs that have finished leave their line, in whatever order they finish. Those of the others stay.
func TestFinishedLeaveTheLine(t *testing.T) {
	const many = 300
	for name, stays := range map[string]func(i int) bool{
		"all finish":      func(int) bool { return false },
		"the first stays": func(i int) bool { return i == 0 },
		"the last stays":  func(i int) bool { return i == many-1 },
		"some stay":       func(i int) bool { return i%60 == 30 },
	} {
		t.Run(name, func(t *testing.T) {
			n := shared(t, "one")
			q := n.jobs.Queue("q")
			jobs, stay := make([]any, many), 0
			for i := range jobs {
				jobs[i] = i
				if stays(i) {
					stay++
				}
			}
			if _, err := q.EnqueueBatch(within(t, 20*time.Second), jobs); err != nil {
				t.Fatal(err)
			}
			release := make(chan struct{})
			n.work(nil, func(p *Pool) {
				Handle(p, "q", func(_ context.Context, i int) (int, error) {
					if stays(i) {
						<-release
					}
					<-time.After(rand.N(2 * time.Millisecond))
					return i, nil
				}, Concurrency(16))
			})
			wantInLine := func(finished, left int) {
				t.Helper()
				until(t, "they have finished", func() bool { return info(t, q).Done == int64(finished) })
				line := q.base + "wait:normal"
				entries, err := n.client().XLen(t.Context(), line).Result()
				if err != nil || entries != int64(left) {
					t.Errorf("%d entries in the line, %v; want %d", entries, err, left)
				}
				pending, err := n.client().XPending(t.Context(), line, "workers").Result()
				if err != nil || pending.Count != int64(left) {
					t.Errorf("%+v, %v; want %d pending", pending, err, left)
				}
			}
			wantInLine(many-stay, stay)
			close(release)
			wantInLine(many, 0)
		})
	}
}
