package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// The embedded Redis of development does all but what it lacks: limits of memory, replicas (WAIT answers at once), and ending a blocking
// read from outside, so that a pool may take a second to end.
func TestOnMiniredis(t *testing.T) {
	server := miniredis.RunT(t)
	n := attach(t, "redis://"+server.Addr(), "mini:", "one")
	if n.jobs.store.can != (abilities{}) {
		t.Errorf("%+v; the tests of newer servers want to know that it can more by now", n.jobs.store.can)
	}
	q := n.jobs.Queue("q")
	tries := newTally()
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, what string) (string, error) {
			switch {
			case what == "fails" && tries.add(what) == 1:
				return "", errTest
			case what == "rejected":
				return "", Reject(errTest)
			}
			if err := Progress(ctx, "half"); err != nil {
				return "", err
			}
			return what, nil
		}, RetryWith(soon), Prefetch(2), Weighted(2, 2, 1))
		p.Schedule(Schedule{Name: "s", Queue: "other", Every: time.Second, Job: 1})
	})
	for _, what := range []string{"plain", "fails"} {
		got, err := Call[string](within(t, 20*time.Second), q, what, Keep(time.Minute), WithPriority(High))
		if err != nil || got != what {
			t.Fatalf("%q, %v; want %q", got, err, what)
		}
	}
	_, err := Call[string](within(t, 20*time.Second), q, "rejected", Delay(20*time.Millisecond), Unique("u", 0), StartWithin(time.Minute))
	wantError(t, err, ErrDead)
	page, err := q.Dead(t.Context(), 0, 10)
	if err != nil || page.Total != 1 || len(page.Jobs[0].Attempts) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	if i := info(t, q); i.Done != 2 || i.Dead != 1 || i.Retried != 1 || i.Workers != 1 || i.Running != 0 {
		t.Errorf("%+v", i)
	}
	if err := q.SetLimits(t.Context(), Limits{Length: 1, Rate: 100, Running: 3, DropOldest: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := Call[string](within(t, 20*time.Second), q, "limited"); err != nil {
		t.Fatal(err)
	}
	if err := q.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the schedule has fired", func() bool { return info(t, n.jobs.Queue("other")).Waiting > 0 })
	server.FlushAll()
	if _, err := Call[string](within(t, 20*time.Second), q, "after the flush"); err != nil {
		t.Fatal(err)
	}
	_, err = q.Job(t.Context(), "none")
	if !errors.Is(err, ErrNoJob) {
		t.Errorf("%v; want ErrNoJob", err)
	}
}

// A worker that vanishes is noticed on miniredis too.
func TestTakeOverOnMiniredis(t *testing.T) {
	server := miniredis.RunT(t)
	n := attach(t, "redis://"+server.Addr(), "mini:", "one")
	q := n.jobs.Queue("q")
	enqueue(t, q, 1)
	taken, err := n.jobs.store.list(t.Context(), 6, scriptExchange, q.base, "0190a0a0-0000-7000-8000-000000000000.1.gone", 0, 0, 1, 1,
		1, lineNormal, 1)
	if err != nil || len(asList(taken[5])) != jobParts {
		t.Fatalf("%v, %v", taken, err)
	}
	got := make(chan int, 1)
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ int) (int, error) {
			job, _ := JobOf(ctx)
			got <- job.Attempt
			return 0, nil
		})
	})
	if attempt := receive(t, got); attempt != 2 {
		t.Errorf("attempt %d, want the second", attempt)
	}
}
