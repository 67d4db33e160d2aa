package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// Many jobs are enqueued and awaited while workers are killed and replaced: each job comes back with its result or as a dead letter, at
// its own caller; none is lost, and none is completed twice.
func TestJobsWithWorkersKilled(t *testing.T) {
	jobs, callers, every := 10_000, 100, 500
	if testing.Short() {
		jobs, every = 1_000, 100
	}
	s := newShop(t)
	effects := filepath.Join(t.TempDir(), "effects")
	h := &staff{shop: s, t: t, env: []string{"EFFECTS=" + effects}}
	for range 3 {
		h.hire()
	}
	group, next := run.New(t.Context()), make(chan int)
	group.Go(func() {
		defer close(next)
		for i := range jobs {
			next <- i
		}
	})
	replies := make(chan *reply, callers)
	for range callers {
		group.Go(func() {
			for i := range next {
				replies <- s.askJob(i, every)
			}
		})
	}
	var done, dead int
	ids := make(map[string]bool, jobs)
	kill := time.NewTicker(1500 * time.Millisecond)
	defer kill.Stop()
	for range jobs {
		r := awaitReply(t, replies, kill, h)
		switch {
		case r.failed == nil && r.status == http.StatusOK:
			done++
		case r.failed == nil && r.Error.Code == "dead":
			dead++
		default:
			t.Fatalf("%v", r)
		}
		if ids[r.ID] {
			t.Errorf("two callers got job %s", r.ID)
		}
		ids[r.ID] = true
	}
	group.Stop()
	group.Wait()
	t.Logf("%d jobs, %d workers killed: %d done, %d dead", jobs, h.killed, done, dead)
	if want := jobs / every; dead != want {
		t.Errorf("%d jobs are dead, want the %d that fail", dead, want)
	}
	q := s.queue(t, "work")
	if q.Waiting+q.Running+q.Delayed != 0 || q.Done != done || q.Died != dead || q.Dead != dead {
		t.Errorf("%v, want %d done and %d dead", q, done, dead)
	}
	checkEffects(t, effects, ids)
}

// staff are the workers that are there.
type staff struct {
	shop   *shop
	t      *testing.T
	env    []string
	hands  []*runner
	killed int
}

// hire starts a worker that notes each job before it does it. Those whose data is a failing one fail.
func (h *staff) hire() {
	const program = `echo "$ACKBUS_JOB_ID" >> "$EFFECTS"; read -r job; [ "$job" != '"fail"' ] && echo "$job"`
	h.hands = append(h.hands, h.shop.hire(h.t, "work", program, h.env, "--name", fmt.Sprint("w", len(h.hands))))
}

// replace kills the oldest worker and starts another.
func (h *staff) replace() {
	h.hands[h.killed].kill()
	h.killed++
	h.hire()
}

// askJob enqueues a job and awaits it. A job of a worker that is killed is tried again, so it may be tried more often than it fails.
func (s *shop) askJob(i, every int) *reply {
	job := object{"data": i, "max_attempts": 50}
	if i%every == 0 {
		job = object{"data": "fail", "max_attempts": 1}
	}
	r := s.call(http.MethodPost, "work/jobs?wait_ms=120000", job)
	if r.failed == nil && r.status == http.StatusOK && r.Result != float64(i) {
		r.failed = fmt.Errorf("job %d got the result %v", i, r.Result)
	}
	return r
}

// awaitReply takes one reply, and lets workers be killed meanwhile.
func awaitReply(t *testing.T, replies <-chan *reply, kill *time.Ticker, h *staff) *reply {
	t.Helper()
	end := time.After(2 * time.Minute)
	for {
		select {
		case r := <-replies:
			return r
		case <-kill.C:
			h.replace()
		case <-end:
			t.Fatal("no reply for 2 minutes")
		}
	}
}

// checkEffects holds what the programs noted against the jobs: each was begun at least once, and nothing else was.
func checkEffects(t *testing.T, path string, ids map[string]bool) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begun := make(map[string]int, len(ids))
	for line := range strings.Lines(string(text)) {
		id := strings.TrimSpace(line)
		if begun[id]++; !ids[id] {
			t.Errorf("an effect of %q, which is no job", id)
		}
	}
	again := 0
	for id := range ids {
		if begun[id] == 0 {
			t.Errorf("job %s came back without an effect", id)
		}
		if begun[id] > 1 {
			again++
		}
	}
	t.Logf("%d of %d jobs were begun more than once", again, len(ids))
}
