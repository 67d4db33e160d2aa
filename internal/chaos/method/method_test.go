package method_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
	"github.com/ackbus/ackbus/internal/chaos/method"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

// Each call has its end and its run in the history, and the judge finds nothing.
func TestServeAndCall(t *testing.T) {
	redis := redistest.Start(t)
	dir := t.TempDir()
	serving, calling := run.New(t.Context()), run.New(t.Context())
	ready := make(chan struct{})
	var served, called error
	serving.Go(func() {
		served = method.Serve(serving.Context(), &actor.Settings{Dir: dir, Name: "instance-1.1", Redis: redis.URL()},
			func() { close(ready) })
	})
	select {
	case <-ready:
	case <-time.After(time.Minute):
		t.Fatal("it is never ready")
	}
	const least = 50
	calling.Go(func() {
		called = method.Call(calling.Context(),
			&actor.Settings{Dir: dir, Name: "caller-1.1", Redis: redis.URL(), Rate: 200, Seed: 1}, func() {})
	})
	await(t, dir, history.Returned, least)
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
	broken := v.Broken()
	delete(broken, judge.Left) // they share this process
	if len(broken) > 0 || v.Calls < least || v.Examined[judge.Replies] == 0 || v.Examined[judge.RunsEnd] == 0 {
		t.Errorf("%d calls, broken: %v", v.Calls, broken)
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
