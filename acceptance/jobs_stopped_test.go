package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/acceptance/internal/ledger"
	"github.com/ackbus/ackbus/worker"
)

// A worker is stopped for longer than its lease, and then goes on: another has done the job by then, its own completion is refused, and
// the job counts as done once. Long: with the default lease of 30 s.
func TestJobOfAStoppedWorker(t *testing.T) {
	y := newYard(t)
	c := y.clerk("q")
	lease := shortOr(5*time.Second, 30*time.Second)
	args := []string{"-queue", "q", "-lease", lease.String()}
	stopped := y.hire(args...).works(t)
	release := filepath.Join(t.TempDir(), "release")
	id := c.enqueue(object{"do": "hold", "release": release}, worker.Keep(time.Hour))
	first := y.awaitEvent("the job runs", func(e ledger.Event) bool { return e.Kind == ledger.Began })
	heir := y.hire(args...).works(t)
	stopped.signal(t, syscall.SIGSTOP)
	began := time.Now()
	next := y.awaitEvent("the job runs elsewhere", func(e ledger.Event) bool { return e.Kind == ledger.Began && e.Attempt == 2 })
	t.Logf("another worker began the job %v after its worker was stopped", time.Unix(0, next.At).Sub(began).Round(time.Millisecond))
	if next.Worker != heir.name || next.Token <= first.Token {
		t.Errorf("%+v after %+v; want the heir, with a greater token", next, first)
	}
	within(t, lease+patience, "the lease is over", func() bool { return time.Since(began) > lease+time.Second })
	if err := os.WriteFile(release, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stopped.signal(t, syscall.SIGCONT)
	stopped.says(t, "a stale worker was refused")
	y.awaitEvent("the stale handler goes on: only its completion is refused", func(e ledger.Event) bool {
		return e.Kind == ledger.Effect && e.Worker == stopped.name
	})
	r, err := c.queue.Await(t.Context(), id)
	if err != nil || r.Worker != heir.name || r.Attempt != 2 {
		t.Errorf("%+v, %v; want the heir's result", r, err)
	}
	if info, err := c.info(); err != nil || info.Done != 1 || info.Waiting+info.Running+info.Delayed+info.Dead != 0 {
		t.Errorf("%+v, %v; want it done once", info, err)
	}
	c.enqueue(object{"millis": 1})
	eventually(t, "the queue goes on", func() bool { info, err := c.info(); return err == nil && info.Done == 2 })
	for _, w := range []*workman{stopped, heir} {
		w.dismiss(t)
	}
	if strings.Contains(heir.log.String(), "a stale worker was refused") {
		t.Errorf("the heir was refused too:\n%s", heir.log)
	}
}
