package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
)

var errTest = errors.New("as the test wants")

// soon retries without a wait that a test would notice.
func soon(int, error) time.Duration { return time.Millisecond }

func TestRetriesUntilItSucceeds(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	tries := newTally()
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ string) (int, error) {
			job, _ := JobOf(ctx)
			if tries.add("q") < 3 {
				return 0, errTest
			}
			return job.Attempt, nil
		}, RetryWith(soon))
	})
	q := n.jobs.Queue("q")
	got, err := Call[int](within(t, 20*time.Second), q, "x")
	if err != nil || got != 3 {
		t.Fatalf("attempt %d, %v; want the third", got, err)
	}
	if i := info(t, q); i.Done != 1 || i.Retried != 2 || i.Died != 0 || i.Waiting+i.Running+i.Delayed+i.Dead != 0 {
		t.Errorf("%+v; want 1 done after 2 retries, and nothing left", i)
	}
}

func TestSteering(t *testing.T) {
	n := shared(t, "one")
	tries := newTally()
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, what string) (int, error) {
			job, _ := JobOf(ctx)
			first := tries.add(what) == 1
			switch {
			case what == "rejected":
				return 0, Reject(errTest)
			case what == "panics":
				panic("on purpose")
			case what == "snoozed" && first:
				return 0, Snooze(time.Millisecond)
			case what == "later" && first:
				return 0, fmt.Errorf("wrapped: %w", RetryAfter(time.Millisecond, errTest))
			}
			return job.Attempt, nil
		}, RetryWith(soon))
	})
	q := n.jobs.Queue("q")
	for what, want := range map[string]int{"snoozed": 1, "later": 2} {
		if got, err := Call[int](within(t, 20*time.Second), q, what); err != nil || got != want {
			t.Errorf("%s: attempt %d, %v; want %d", what, got, err, want)
		}
	}
	for what, attempts := range map[string]int{"rejected": 1, "panics": 2} {
		_, err := Call[int](within(t, 20*time.Second), q, what, MaxAttempts(2))
		failed, ok := errors.AsType[*JobError](err)
		if !ok || failed.Attempts != attempts || !errors.Is(err, ErrDead) {
			t.Errorf("%s: %v; want it dead after %d attempts", what, err, attempts)
		}
		if tries.count(what) != attempts {
			t.Errorf("%s: ran %d times, want %d", what, tries.count(what), attempts)
		}
	}
}

func TestTimeLimit(t *testing.T) {
	n := shared(t, "one")
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}, RetryWith(soon))
	})
	_, err := Call[int](within(t, 20*time.Second), n.jobs.Queue("q"), 1, MaxAttempts(2), TimeLimit(20*time.Millisecond))
	wantError(t, err, ErrDead)
	if !strings.Contains(err.Error(), ErrTimeLimit.Error()) {
		t.Errorf("%v; want the time limit in it", err)
	}
}

// A handler that ignores its time limit is given up: the job and its place go on without it.
func TestHandlerThatHangs(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	release := make(chan struct{})
	r := n.work(&PoolOptions{Drain: -1}, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, hangs bool) (int, error) {
			if hangs {
				<-release
			}
			return 0, nil
		}, Concurrency(1))
		p.grace = 20 * time.Millisecond
	})
	q := n.jobs.Queue("q")
	_, err := Call[int](within(t, 20*time.Second), q, true, MaxAttempts(1), TimeLimit(20*time.Millisecond))
	wantError(t, err, ErrDead)
	if _, err := Call[int](within(t, 20*time.Second), q, false); err != nil {
		t.Fatalf("the queue stands still behind a handler that hangs: %v", err)
	}
	wantError(t, r.stop(), ErrAbandoned)
	close(release)
	<-r.pool.handlers.Stopped()
}

func TestBackoff(t *testing.T) {
	for attempt, want := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second,
		11: longestRetry, 1000: longestRetry} {
		for range 100 {
			got := Backoff(attempt, errTest)
			if got < want-want/5 || got > want+want/5 || got > longestRetry {
				t.Fatalf("after attempt %d: %v, want %v give or take a fifth", attempt, got, want)
			}
		}
	}
}

// A function of the user's that panics is no end of the process.
func TestBackoffThatPanics(t *testing.T) {
	n := shared(t, "one")
	n.work(nil, func(p *Pool) {
		fails := func(context.Context, int) (int, error) { return 0, errTest }
		Handle(p, "q", fails, RetryWith(func(int, error) time.Duration { panic("no") }))
	})
	q := n.jobs.Queue("q")
	id := enqueue(t, q, 1)
	until(t, "it waits for its next attempt", func() bool { return info(t, q).Delayed == 1 })
	if err := q.Delete(t.Context(), id); err != nil {
		t.Error(err)
	}
}

// A lease that is lost again and again counts in the end: the job may be what starves its worker.
func TestLostLeasesCountInTheEnd(t *testing.T) {
	n := shared(t, "one")
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(context.Context, int) (int, error) { return 0, ErrLeaseLost })
	})
	q := n.jobs.Queue("q")
	_, err := Call[int](within(t, 20*time.Second), q, 1, MaxAttempts(2))
	if failed, ok := errors.AsType[*JobError](err); !ok || failed.Attempts != 2 {
		t.Errorf("%v; want it dead after 2 attempts", err)
	}
	page, err := q.Dead(t.Context(), 0, 1)
	if err != nil || len(page.Jobs) != 1 || len(page.Jobs[0].Attempts) != 5 || page.Jobs[0].Attempt != 2 {
		t.Errorf("%+v, %v; want 3 attempts that did not count, and 2 that did", page, err)
	}
}

func goexit() { runtime.Goexit() }
