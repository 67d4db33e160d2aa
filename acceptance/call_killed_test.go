package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

const underWay = 1000

// A crowd is a thousand calls under way at three repliers, whose programs answer once they are set free.
type crowd struct {
	*cluster
	repliers []*runner
	gate     string // a pipe on which the programs wait for a writer
	results  chan *result
	group    *run.Group
}

func newCrowd(t *testing.T, args ...string) *crowd {
	t.Helper()
	c := &crowd{cluster: newCluster(t), gate: filepath.Join(t.TempDir(), "gate"), results: make(chan *result, underWay)}
	if err := syscall.Mkfifo(c.gate, 0o600); err != nil {
		t.Fatal(err)
	}
	const program = `: <"$GATE"; cat`
	for i := range 3 {
		args := append([]string{"--concurrency", "20"}, args...)
		c.repliers = append(c.repliers, c.replies(t, fmt.Sprint("r", i+1), "echo", program, []string{"GATE=" + c.gate}, args...))
	}
	c.knows(t, "echo", 3)
	c.group = run.New(t.Context())
	for i := range underWay {
		at := []*node{c.gw1, c.gw2}[i%2]
		c.group.Go(func() { c.results <- at.echo(i) })
	}
	c.group.Stop()
	t.Cleanup(c.group.Wait)
	eventually(t, "all calls are under way", func() bool {
		return c.gw1.metric(t, "ackbus_requests_pending")+c.gw2.metric(t, "ackbus_requests_pending") == underWay
	})
	return c
}

// echo calls the method, and holds the result against the argument.
func (n *node) echo(i int) *result {
	r := n.call("echo?timeout_ms=60000", i)
	if r.failed == nil && r.status == http.StatusOK && r.text != fmt.Sprint(i) {
		r.failed = fmt.Errorf("%d was answered with %s", i, r.text)
	}
	return r
}

// release opens the gate, for as long as the test takes.
func (c *crowd) release(t *testing.T) {
	gate, err := os.OpenFile(c.gate, os.O_RDWR, 0) // for reading too, so that it does not wait for a reader
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(func() { gate.Close() })
}

func (c *crowd) next(t *testing.T) *result {
	t.Helper()
	select {
	case r := <-c.results:
		return r
	case <-time.After(time.Minute):
		t.Fatal("a call had no result")
		return nil
	}
}

// Of a thousand calls those that the killed replier had end as unknown, soon and with its name; all others are answered, and so is what
// is called from then on.
func TestReplierKilled(t *testing.T) {
	c := newCrowd(t)
	killed := time.Now()
	c.repliers[2].kill()
	var latest time.Duration
	var unknown int
	for quiet := time.After(3 * time.Second); ; {
		select {
		case r := <-c.results:
			r.want(t, http.StatusGatewayTimeout, "unknown", "node r3 fell silent")
			latest, unknown = max(latest, r.at.Sub(killed)), unknown+1
			continue
		case <-quiet:
		}
		break
	}
	t.Logf("%d of %d calls are unknown, the last after %v", unknown, underWay, latest)
	limit := time.Second
	if raced {
		limit *= 2 // hundreds of answers at a time take theirs under the detector
	}
	if unknown < underWay/5 || unknown > underWay/2 || latest > limit {
		t.Errorf("%d are unknown, the last after %v; want about a third within %v", unknown, latest, limit)
	}
	c.release(t)
	for range underWay - unknown {
		if r := c.next(t); r.failed != nil || r.status != http.StatusOK {
			t.Fatalf("a call that the killed replier did not have: %v", r)
		}
	}
	for i := range 50 {
		if r := c.gw1.echo(i); r.failed != nil || r.status != http.StatusOK {
			t.Errorf("a call after the kill: %v", r)
		}
	}
}

// An idempotent method is called again: nothing fails.
func TestReplierOfIdempotentKilled(t *testing.T) {
	c := newCrowd(t, "--idempotent")
	c.repliers[2].kill()
	c.release(t)
	for range underWay {
		if r := c.next(t); r.failed != nil || r.status != http.StatusOK {
			t.Fatalf("%v", r)
		}
	}
}

// All three are replaced one after another while others call: no call fails, and the new ones take their share.
func TestRollingRestart(t *testing.T) {
	c := newCluster(t)
	const program = `sleep 0.02; printf '"%s"' "$WHO"`
	start := func(name string) *runner {
		return c.replies(t, name, "who", program, []string{"WHO=" + name}, "--concurrency", "8")
	}
	old := []*runner{start("old-1"), start("old-2"), start("old-3")}
	c.knows(t, "who", 3)
	var served [4]atomic.Int64 // by the old, by the new, not; and how long the slowest took
	stop := make(chan struct{})
	callers := run.New(t.Context())
	for i := range 12 {
		at := []*node{c.gw1, c.gw2}[i%2]
		callers.Go(func() { callUntil(t, at, stop, &served) })
	}
	for i, r := range old {
		before, began := served[0].Load()+served[1].Load(), time.Now()
		if code := r.drain(t); code != 0 {
			t.Errorf("%s ended with %d", r.name, code)
		}
		t.Logf("%s drained in %v", r.name, time.Since(began))
		start(fmt.Sprint("new-", i+1))
		eventually(t, "calls go on", func() bool { return served[0].Load()+served[1].Load() > before+50 })
	}
	before := served[1].Load()
	eventually(t, "the new ones answer", func() bool { return served[1].Load() > before+100 })
	close(stop)
	callers.Stop()
	callers.Wait()
	t.Logf("%d calls by the old, %d by the new, %d failed; the slowest took %v", served[0].Load(), served[1].Load(), served[2].Load(),
		time.Duration(served[3].Load()))
}

// callUntil calls until it is stopped. Every call must be answered.
func callUntil(t *testing.T, at *node, stop <-chan struct{}, served *[4]atomic.Int64) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		r := at.call("who?timeout_ms=20000", nil)
		served[3].Store(max(served[3].Load(), int64(r.took))) // near enough
		switch {
		case r.failed == nil && r.status == http.StatusOK && strings.HasPrefix(r.text, `"old-`):
			served[0].Add(1)
		case r.failed == nil && r.status == http.StatusOK && strings.HasPrefix(r.text, `"new-`):
			served[1].Add(1)
		default:
			served[2].Add(1)
			t.Errorf("a call failed: %v", r)
			return
		}
	}
}
