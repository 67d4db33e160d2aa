package actor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/pause"
)

func TestMain(m *testing.M) { leak.Main(m) }

// What a life leaves open is in the history, and nothing else is; its error is told.
func TestLive(t *testing.T) {
	failed := errors.New("it failed")
	for _, c := range []struct {
		name  string
		fails error
		opens int // descriptors that it leaves
		left  int
	}{{"all closed", nil, 0, 0}, {"it fails", failed, 0, 0}, {"descriptors left", nil, 8, 1}} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := os.Stat("/proc/self/fd"); err != nil && c.opens > 0 {
				t.Skip("descriptors are counted on Linux alone")
			}
			synctest.Test(t, func(t *testing.T) { // it waits for what ends late
				s := &actor.Settings{Dir: t.TempDir(), Name: "one.1"}
				var open []*os.File
				err := actor.Live(t.Context(), s, func(_ context.Context, a *actor.Actor) error {
					a.Logger.Info("alive")
					for range c.opens {
						f, err := os.Open(os.DevNull)
						if err != nil {
							return err
						}
						open = append(open, f)
					}
					return c.fails
				})
				for _, f := range open {
					f.Close()
				}
				if !errors.Is(err, c.fails) {
					t.Errorf("%v, want %v", err, c.fails)
				}
				if text, err := os.ReadFile(filepath.Join(s.Dir, "one.1.log")); err != nil || len(text) == 0 {
					t.Errorf("the log: %q, %v", text, err)
				}
				events, err := history.Read(s.Dir)
				if err != nil {
					t.Fatal(err)
				}
				v := judge.Judge(events)
				if v.Examined[judge.Left] == 0 || v.Broken()[judge.Left] != c.left {
					t.Errorf("%d examined: %v", v.Examined[judge.Left], v.Violations)
				}
			})
		})
	}
}

// As many things begin as the rate says, and what came due in a standstill is made up for, of a second at most.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		a := &actor.Actor{Settings: &actor.Settings{Rate: 20}}
		begun := 0
		a.Pace(ctx, func() {
			if begun++; begun == 20 {
				pause.For(ctx, 5*time.Second) // of the 5 s, the last one is made up for
			}
		})
		if begun != 200-4*20 {
			t.Errorf("%d things in 10 s, of which 4 s were lost", begun)
		}
	})
}

// It is tried until it works, or its time is over, and the last error is told.
func TestInsist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused, times := errors.New("refused"), 0
		try := func() error {
			if times++; times == 3 {
				return nil
			}
			return refused
		}
		if err := actor.Insist(t.Context(), try); err != nil || times != 3 {
			t.Errorf("%v after %d times", err, times)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := actor.Insist(ctx, try); !errors.Is(err, refused) || ctx.Err() == nil {
			t.Error(err)
		}
	})
}
