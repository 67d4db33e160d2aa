package acceptance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/acceptance/internal/ledger"
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
		skew := apart[len(y.workmen)%len(apart)]
		w := y.hireAs(program, []string{fmt.Sprintf("%s=%d", skewEnv, int64(skew/time.Second))},
			"-schedule", "* * * * * *", "-fires", "ticks").works(t)
		if off := time.Until(w.clock(t)) - skew; off > patience || off < -patience {
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

// skewEnv sets the clock of a process that was built for it, in seconds.
const skewEnv = "ACKBUS_TEST_CLOCK"

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

// skewed builds a workman whose clock can be set: with a time package that adds to what the machine says. Nothing else sets the clock of
// one process of a machine alone.
func (y *yard) skewed() string {
	y.t.Helper()
	dir := y.t.TempDir()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		y.t.Fatal(err)
	}
	original := filepath.Join(strings.TrimSpace(string(out)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		y.t.Fatal(err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	changed := strings.Replace(string(text), now, now+"\tsec += skew\n", 1)
	if changed == string(text) {
		y.t.Fatalf("time.Now of this Go looks otherwise than:\n%s", now)
	}
	skew := "package time\n\nimport \"syscall\"\n\nvar skew = func() int64 {\n\ttext, _ := syscall.Getenv(\"" + skewEnv + "\")\n" +
		"\tsign, n := int64(1), int64(0)\n\tfor _, c := range text {\n\t\tif c == '-' {\n\t\t\tsign = -1\n\t\t} else {\n" +
		"\t\t\tn = 10*n + int64(c-'0')\n\t\t}\n\t}\n\treturn sign * n\n}()\n"
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		original: filepath.Join(dir, "time.go"), filepath.Join(filepath.Dir(original), "skew.go"): filepath.Join(dir, "skew.go"),
	}})
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "time.go"), []byte(changed), 0o600),
		os.WriteFile(filepath.Join(dir, "skew.go"), []byte(skew), 0o600),
		os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)); err != nil {
		y.t.Fatal(err)
	}
	path := filepath.Join(dir, "workman")
	cmd := exec.Command("go", "build", "-o", path, "-overlay", filepath.Join(dir, "overlay.json"),
		"github.com/ackbus/ackbus/acceptance/internal/workman")
	if said, err := cmd.CombinedOutput(); err != nil {
		y.t.Fatalf("build a workman whose clock can be set: %v\n%s", err, said)
	}
	return path
}
