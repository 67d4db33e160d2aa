package acceptance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/acceptance/internal/ledger"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/worker"
)

// soak says that the long forms are wanted: make soak-jobs.
func soak() bool { return os.Getenv("ACKBUS_SOAK") != "" }

// shortOr is the number of the short form, or that of the long one.
func shortOr[T any](short, long T) T {
	if soak() {
		return long
	}
	return short
}

// A yard is a redis-server that keeps every write in a file, and a place where those who work for it write down what they do.
type yard struct {
	t        *testing.T
	redis    *redistest.Server
	aof      string
	events   string
	workmen  []*workman
	programs string
}

// newYard returns once Redis answers. Leaks of the test are looked for after its end.
func newYard(t *testing.T) *yard {
	t.Helper()
	leak.Check(t)
	y := &yard{t: t, events: t.TempDir(), programs: filepath.Dir(ackbus)}
	dir := t.TempDir()
	y.aof = filepath.Join(dir, "appendonlydir")
	y.redis = redistest.Start(t, "--dir", dir, "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
	return y
}

// built is how the programs beside the tests were built, by name.
var built = struct {
	sync.Mutex

	errs map[string]error
}{errs: make(map[string]error)}

// program builds a program of this directory the first time, and returns its path.
func (y *yard) program(name string, args ...string) string {
	y.t.Helper()
	built.Lock()
	defer built.Unlock()
	path := filepath.Join(y.programs, name+strings.Join(args, ""))
	err, done := built.errs[path]
	if !done {
		err = goBuild(path, "github.com/ackbus/ackbus/acceptance/internal/"+name, args...)
		built.errs[path] = err
	}
	if err != nil {
		y.t.Fatal(err)
	}
	return path
}

func goBuild(path, pkg string, args ...string) error {
	args = append([]string{"build", "-o", path}, args...)
	if raced {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, pkg)...).CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// A workman is a worker process.
type workman struct {
	name string
	cmd  *exec.Cmd
	in   io.Closer
	log  *logged
	done chan struct{} // closed when it has ended
}

// hire starts a worker process, without waiting until it works.
func (y *yard) hire(args ...string) *workman {
	y.t.Helper()
	return y.hireAs(y.program("workman"), nil, args...)
}

func (y *yard) hireAs(program string, env []string, args ...string) *workman {
	y.t.Helper()
	w := &workman{name: fmt.Sprint("w", len(y.workmen)), log: newLogged(), done: make(chan struct{})}
	w.cmd = exec.Command(program, append([]string{"-redis", y.redis.URL(), "-name", w.name, "-events", y.events}, args...)...)
	w.cmd.Stderr = w.log
	w.cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=0"), env...)
	in, err := w.cmd.StdinPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		y.t.Fatal(err)
	}
	w.in = in
	life := run.New(y.t.Context()) // ends with the process, which the cleanup kills
	life.Go(func() {
		defer close(w.done)
		_ = w.cmd.Wait() // how it ended is the business of the tests
	})
	y.workmen = append(y.workmen, w)
	y.t.Cleanup(func() {
		w.kill()
		text := w.log.String()
		if few := len(y.workmen) <= 10; y.t.Failed() && few || strings.Contains(text, "DATA RACE") {
			y.t.Errorf("the log of %s:\n%s", w.name, text)
		}
	})
	return w
}

// works waits until the process works.
func (w *workman) works(t *testing.T) *workman {
	t.Helper()
	w.says(t, `"msg":"works"`)
	return w
}

func (w *workman) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, w.name+" says "+text, func() bool { return strings.Contains(w.log.String(), text) })
}

// kill ends the process, as a power cut would, and returns once it is gone.
func (w *workman) kill() {
	_ = w.cmd.Process.Kill() // it may have ended
	<-w.done
}

// dismiss has the process drain and end.
func (w *workman) dismiss(t *testing.T) {
	t.Helper()
	_ = w.in.Close()
	select {
	case <-w.done:
	case <-time.After(patience):
		t.Fatalf("%s does not end", w.name)
	}
	if code := w.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%s ended with %d:\n%s", w.name, code, w.log)
	}
}

func (w *workman) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// A clerk enqueues and awaits, from the test's own process.
type clerk struct {
	*yard

	jobs  *worker.Jobs
	queue *worker.Queue
	log   *ledger.Log
}

// clerk opens one, which ends with the test.
func (y *yard) clerk(queue string) *clerk { return y.clerkAs("clerk", queue) }

func (y *yard) clerkAs(name, queue string) *clerk {
	y.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	b, err := bus.Open(y.t.Context(), y.redis.URL(), &bus.Options{Name: name, Logger: quiet})
	if err != nil {
		y.t.Fatal(err)
	}
	y.t.Cleanup(func() { _ = b.Close() })
	jobs, err := worker.Open(y.t.Context(), b, y.redis.URL(), &worker.Options{Logger: quiet})
	if err != nil {
		y.t.Fatal(err)
	}
	y.t.Cleanup(func() { _ = jobs.Close() })
	log, err := ledger.Create(y.events, name)
	if err != nil {
		y.t.Fatal(err)
	}
	y.t.Cleanup(func() { _ = log.Close() })
	return &clerk{yard: y, jobs: jobs, queue: jobs.Queue(queue), log: log}
}

// enqueue enqueues a job that has to be taken in.
func (c *clerk) enqueue(task object, opts ...worker.EnqueueOption) worker.JobID {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	id, err := c.queue.Enqueue(ctx, task, opts...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.log.Append(ledger.Event{Kind: ledger.Taken, Job: string(id)})
	return id
}

// insist does something again as long as Redis can't be reached, or nobody knows whether it was.
func insist(ctx context.Context, do func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := do()
		if !errors.Is(err, worker.ErrUnavailable) && !errors.Is(err, worker.ErrUnknown) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// info counts the queue.
func (c *clerk) info() (worker.QueueInfo, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	return c.queue.Info(ctx)
}

// happened are the events so far for which ok holds.
func (y *yard) happened(ok func(ledger.Event) bool) (found []ledger.Event) {
	y.t.Helper()
	all, err := ledger.Read(y.events)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, e := range all {
		if ok(e) {
			found = append(found, e)
		}
	}
	return found
}

// awaitEvent waits until somebody has written down what ok looks for.
func (y *yard) awaitEvent(what string, ok func(ledger.Event) bool) ledger.Event {
	y.t.Helper()
	var found []ledger.Event
	eventually(y.t, what, func() bool {
		found = y.happened(ok)
		return len(found) > 0
	})
	return found[0]
}

// check has the checker, which is a process of its own, judge what was written down.
func (y *yard) check(args ...string) {
	y.t.Helper()
	out, err := exec.Command(y.program("checker"), append([]string{"-events", y.events, "-aof", y.aof}, args...)...).CombinedOutput()
	if y.t.Logf("the checker: %s", out); err != nil {
		y.t.Errorf("the checker: %v", err)
	}
}
