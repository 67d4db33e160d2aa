package job_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/job"
	"github.com/ackbus/ackbus/internal/chaos/judge"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

// Each job has its end in the history, the queue is empty in the end. (The judge has no file of Redis here.)
func TestEnqueueAndWork(t *testing.T) {
	redis := redistest.Start(t)
	dir := t.TempDir()
	serving, calling := run.New(t.Context()), run.New(t.Context())
	ready := make(chan struct{})
	var served, called error
	serving.Go(func() {
		served = job.Work(serving.Context(), &actor.Settings{Dir: dir, Name: "worker-1.1", Redis: redis.URL()},
			func() { close(ready) })
	})
	select {
	case <-ready:
	case <-time.After(time.Minute):
		t.Fatal("it is never ready")
	}
	const least = 40 // at a rate for which one workman has places
	calling.Go(func() {
		called = job.Enqueue(calling.Context(),
			&actor.Settings{Dir: dir, Name: "clerk-1.1", Redis: redis.URL(), Rate: 20, Seed: 1}, func() {})
	})
	await(t, dir, history.Taken, least)
	for _, g := range []*run.Group{calling, serving} {
		g.Stop()
		g.Wait()
	}
	if err := errors.Join(served, called); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	events, err := history.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	v := judge.Judge(events)
	if broken := v.Broken(); broken[judge.JobsEnd]+broken[judge.Alone]+broken[judge.CalmJobs] > 0 || v.Jobs < least {
		t.Errorf("%d jobs, broken: %v", v.Jobs, broken)
	}
	i := slices.IndexFunc(events, func(e history.Event) bool { return e.Actor == "queue" && e.Text == "end" })
	if i < 0 || events[i].Values["waiting"]+events[i].Values["running"]+events[i].Values["delayed"] > 0 {
		t.Errorf("the queue is not empty: %+v", events)
	}
}

// await returns once so many events of a kind are in the history.
func await(t *testing.T, dir, kind string, least int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := actor.Insist(ctx, func() error {
		events, err := history.Read(dir)
		n := 0
		for _, e := range events {
			if e.Kind == kind {
				n++
			}
		}
		if err == nil && n < least {
			err = fmt.Errorf("%d events %q", n, kind)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
