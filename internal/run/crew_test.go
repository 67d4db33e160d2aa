package run

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A crew runs everything, as much at once as is asked for, and keeps no more goroutines than it may.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, rounds, burst = 3, 20, 10
		g := New(t.Context())
		c := NewCrew(g, most)
		var ran atomic.Int64
		for range rounds {
			release := make(chan struct{})
			for range burst {
				if !c.Go(func() { <-release; ran.Add(1) }) {
					t.Fatal("refused before Stop")
				}
			}
			synctest.Wait() // each of the burst runs, and waits
			close(release)
			synctest.Wait()
			if g.running > most {
				t.Fatalf("%d goroutines wait, want %d at most", g.running, most)
			}
		}
		g.Stop()
		g.Wait()
		if ran.Load() != rounds*burst || c.Go(func() { t.Error("ran after Stop") }) {
			t.Fatalf("%d ran, want %d, and none after Stop", ran.Load(), rounds*burst)
		}
	})
}

// A function that ends its goroutine takes nothing with it.
func TestCrewGoexit(t *testing.T) {
	g := New(t.Context())
	c := NewCrew(g, 1)
	for range 10 {
		c.Go(runtime.Goexit)
	}
	var done sync.WaitGroup
	done.Add(1)
	c.Go(done.Done)
	done.Wait()
	g.Stop()
	g.Wait()
}

func TestCrewRuns(t *testing.T) {
	g := New(t.Context())
	c := NewCrew(g, 4)
	var ran atomic.Int64
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 1000 {
				c.Go(func() { ran.Add(1) })
			}
		})
	}
	callers.Wait()
	g.Stop()
	g.Wait()
	if ran.Load() != 8000 {
		t.Fatalf("%d ran", ran.Load())
	}
}
