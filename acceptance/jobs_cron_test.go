package acceptance

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/acceptance/internal/ledger"
	"github.com/ackbus/ackbus/internal/chaos/skew"
)

// Three nodes fire a schedule of every second, and are killed and replaced: each tick becomes one job. Long: for a minute, with the
// nodes' clocks an hour and a half apart.
func TestJobOfEachTick(t *testing.T) {
	const nodes = 3
	lasts, life := shortOr(8*time.Second, 62*time.Second), shortOr(2*time.Second, 4*time.Second)
	y := newYard(t)
	y.hire("-queue", "ticks").works(t)
	program, apart := y.program("workman"), []time.Duration{0}
	if soak() {
		program, apart = y.skewed(), []time.Duration{-30 * time.Minute, 0, time.Hour}
	}
	var firing []*workman
	fire := func() {
		wrong, clock := apart[len(y.workmen)%len(apart)], filepath.Join(t.TempDir(), "clock")
		if err := skew.Set(clock, wrong); err != nil {
			t.Fatal(err)
		}
		w := y.hireAs(program, []string{skew.Env + "=" + clock}, "-schedule", "* * * * * *", "-fires", "ticks").works(t)
		if off := time.Until(w.clock(t)) - wrong; off > patience || off < -patience {
			t.Fatalf("the clock of %s is %v apart from what it should be", w.name, off)
		}
		firing = append(firing, w)
	}
	for range nodes {
		fire()
	}
	killed := 0
	for began := time.Now(); time.Since(began) < lasts; {
		next := time.Now().Add(life)
		within(t, life+patience, "time passes", func() bool { return time.Now().After(next) })
		firing[killed].kill()
		killed++
		fire()
	}
	for _, w := range firing[killed:] {
		w.dismiss(t)
	}
	c := y.clerk("ticks")
	eventually(t, "all are done", func() bool {
		info, err := c.info()
		return err == nil && info.Waiting+info.Running+info.Delayed == 0
	})
	least := int(lasts/time.Second) - 1
	fired := y.happened(func(e ledger.Event) bool { return e.Kind == ledger.Effect })
	t.Logf("%d ticks in %v, %d nodes killed, clocks %v apart", len(fired), lasts, killed, apart[len(apart)-1]-apart[0])
	if info, err := c.info(); err != nil || len(fired) < least || info.Done != int64(len(fired)) || info.Dead > 0 {
		t.Errorf("%+v, %v, %d effects; want at least %d ticks, each done once", info, err, len(fired), least)
	}
	y.check("-schedule", "tick", "-every", "1s")
}

// clock is what the process said that the time is when it began to work.
func (w *workman) clock(t *testing.T) time.Time {
	t.Helper()
	for line := range strings.Lines(w.log.String()) {
		var said struct {
			Msg   string
			Clock time.Time
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "works" {
			return said.Clock
		}
	}
	t.Fatalf("%s does not say its time:\n%s", w.name, w.log)
	return time.Time{}
}

// skewed builds a workman whose clock can be set.
func (y *yard) skewed() string {
	y.t.Helper()
	dir := y.t.TempDir()
	overlay, err := skew.Overlay(y.t.Context(), dir)
	if err != nil {
		y.t.Fatal(err)
	}
	path := filepath.Join(dir, "workman")
	if err := goBuild(path, "github.com/ackbus/ackbus/acceptance/internal/workman", "-overlay", overlay); err != nil {
		y.t.Fatal(err)
	}
	return path
}
