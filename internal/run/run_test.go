package run_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestStopAsksAndWaitWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := run.New(t.Context())
		release := make(chan struct{})
		var asked, ended bool
		g.Go(func() {
			<-g.Context().Done()
			asked = true
			<-release
			ended = true
		})
		g.Stop()
		synctest.Wait()
		if !asked || isClosed(g.Stopped()) {
			t.Fatalf("asked = %t, stopped = %t; want a goroutine that was asked and still runs", asked, isClosed(g.Stopped()))
		}
		close(release)
		g.Wait()
		if !ended || !isClosed(g.Stopped()) {
			t.Fatalf("ended = %t, stopped = %t after Wait; want both", ended, isClosed(g.Stopped()))
		}
	})
}

// The end of the parent asks; only Stop lets Wait return, since until then more goroutines may come.
func TestParentAsksButDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g := run.New(ctx)
		g.Go(func() { <-g.Context().Done() })
		cancel()
		synctest.Wait()
		if isClosed(g.Stopped()) {
			t.Fatal("stopped by its parent alone")
		}
		if !g.Go(func() {}) {
			t.Fatal("Go refused before Stop")
		}
		g.Stop()
		g.Wait()
	})
}

func TestStoppedGroupRunsNothing(t *testing.T) {
	g := run.New(t.Context())
	g.Stop()
	g.Stop()
	g.Wait()
	if g.Go(func() { t.Error("ran after Stop") }) {
		t.Fatal("Go accepted after Stop")
	}
	if g.Context().Err() == nil {
		t.Fatal("the context of a stopped group goes on")
	}
}

func TestStopFromWithin(t *testing.T) {
	g := run.New(t.Context())
	g.Go(g.Stop)
	g.Wait()
}

// A goroutine may start more while the group runs; Wait covers those too.
func TestGoFromWithin(t *testing.T) {
	g := run.New(t.Context())
	var inner atomic.Bool
	g.Go(func() {
		g.Go(func() { inner.Store(true) })
		g.Stop()
	})
	g.Wait()
	if !inner.Load() {
		t.Fatal("Wait returned before the goroutine started from within")
	}
}

// runtime.Goexit (t.FailNow, for one) must not leave the group waiting for ever.
func TestGoexitCounts(t *testing.T) {
	g := run.New(t.Context())
	g.Go(runtime.Goexit)
	g.Stop()
	g.Wait()
}

// What Go accepted has ended when Wait returns, and what it refused never ran, however Go and Stop race.
func TestGoAgainstStop(t *testing.T) {
	const starters, each = 8, 200
	for range 50 {
		g := run.New(t.Context())
		var accepted, ran atomic.Int64
		var begun sync.WaitGroup
		begun.Add(starters)
		starting := run.New(t.Context())
		for range starters {
			starting.Go(func() {
				begun.Done()
				for range each {
					if g.Go(func() { ran.Add(1) }) {
						accepted.Add(1)
					}
				}
			})
		}
		begun.Wait()
		g.Stop()
		g.Wait()
		ended := ran.Load()
		starting.Stop()
		starting.Wait()
		if got, want := ran.Load(), accepted.Load(); got != want || ended != got {
			t.Fatalf("ran %d at Wait, %d in the end, accepted %d; want all equal", ended, got, want)
		}
	}
}
