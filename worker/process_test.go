package worker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/redistest"
)

// What a second run of this test binary works for: URL, prefix, name and directory.
const childEnv = "ACKBUS_TEST_WORK_FOR"

// TestChild is not a test of its own: other tests run it in processes that they stop and kill. Each effect is a line in the file of
// its process; a job that says hold is held, whatever its context says, until the file "release" is there.
func TestChild(t *testing.T) {
	told := strings.Split(os.Getenv(childEnv), " ")
	if len(told) != 4 {
		return
	}
	url, prefix, name, dir := told[0], told[1], told[2], told[3]
	b, err := bus.Open(t.Context(), url, &bus.Options{Name: name, Prefix: prefix, Lanes: 2, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	jobs, err := Open(t.Context(), b, url, &Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer jobs.Close()
	effects, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer effects.Close()
	pool := jobs.Pool(nil)
	Handle(pool, "q", func(ctx context.Context, what string) (string, error) {
		job, _ := JobOf(ctx)
		if what == "hold" && job.Attempt == 1 {
			fmt.Println("\nholds")
			for _, err := os.Stat(filepath.Join(dir, "release")); err != nil; _, err = os.Stat(filepath.Join(dir, "release")) {
				<-time.After(5 * time.Millisecond)
			}
			fmt.Println("\nlets go")
		}
		<-time.After(2 * time.Millisecond)
		_, err := fmt.Fprintln(effects, what)
		return "by " + name, err
	}, Concurrency(4))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	group := newGroup(t)
	group.Go(func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it, or is gone
		cancel()
	})
	fmt.Println("\nready")
	if err := pool.Run(ctx); err != nil {
		t.Error(err)
	}
	end(group)
}

// A child is a worker in a process of its own.
type child struct {
	cmd  *exec.Cmd
	in   io.Closer
	says *bufio.Scanner
}

func spawn(t *testing.T, url, prefix, name, dir string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{url, prefix, name, dir}, " "))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd, in, bufio.NewScanner(out)}
	t.Cleanup(c.kill)
	hangs := time.AfterFunc(4*time.Minute, func() { _ = cmd.Process.Kill() }) // and whoever waits for a word of it goes on
	t.Cleanup(func() { hangs.Stop() })
	c.await(t, "ready")
	return c
}

// await reads until the child says something.
func (c *child) await(t *testing.T, what string) {
	t.Helper()
	for c.says.Scan() {
		if c.says.Text() == what {
			return
		}
	}
	t.Fatalf("the worker ended before it said %q", what)
}

func (c *child) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // it was killed
}

// effects counts the lines of all files.
func effects(t *testing.T, dir string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "w*"))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			seen[strings.TrimSpace(line)]++
		}
	}
	return seen
}

// Workers are killed one after another and replaced, and Redis is once: every job's effect is there, and every job completed once.
func TestKilledProcesses(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	dir := t.TempDir()
	n := attach(t, server.URL(), "k:", "enqueuer")
	q := n.jobs.Queue("q")
	const jobs, victims = 4000, 5
	batch := make([]any, jobs)
	for i := range batch {
		batch[i] = fmt.Sprint("job-", i)
	}
	if _, err := q.EnqueueBatch(within(t, 30*time.Second), batch, MaxAttempts(50)); err != nil {
		t.Fatal(err)
	}
	var workers []*child
	for i := range 3 {
		workers = append(workers, spawn(t, server.URL(), "k:", fmt.Sprint("w", i), dir))
	}
	for i := range victims {
		done := info(t, q).Done
		until(t, "some progress", func() bool { now := info(t, q).Done; return now > done || now == jobs })
		workers[i].kill()
		workers = append(workers, spawn(t, server.URL(), "k:", fmt.Sprint("w", i+3), dir))
		if i == victims/2 {
			server.Restart()
			until(t, "Redis answers", func() bool { _, err := q.Info(within(t, time.Second)); return err == nil })
		}
	}
	defer func() {
		if t.Failed() {
			i, err := q.Info(context.Background())
			t.Logf("%+v, %v", i, err)
		}
	}()
	untilWithin(t, 2*time.Minute, "all are done", func() bool {
		i, err := q.Info(within(t, 5*time.Second))
		return err == nil && i.Done >= jobs && i.Waiting+i.Running+i.Delayed == 0
	})
	if i := info(t, q); i.Done != jobs || i.Dead != 0 {
		t.Errorf("%+v; want each done once", i)
	}
	seen := effects(t, dir)
	for _, job := range batch {
		if seen[fmt.Sprint(job)] == 0 {
			t.Errorf("%s has no effect", job)
		}
	}
	twice := 0
	for _, times := range seen {
		if times > 1 {
			twice++
		}
	}
	t.Logf("%d jobs, %d workers killed: %d effects happened more than once", jobs, victims, twice)
}

// A worker that is stopped for longer than others wait finds its job done by another, and its completion refused.
func TestStoppedProcess(t *testing.T) {
	url, prefix, dir := redistest.Shared(t).URL(), redistest.Prefix(t), t.TempDir()
	n := attach(t, url, prefix, "enqueuer")
	q := n.jobs.Queue("q")
	stopped := spawn(t, url, prefix, "w-stopped", dir)
	id := enqueue(t, q, "hold", Keep(time.Hour))
	stopped.await(t, "holds")
	heir := spawn(t, url, prefix, "w-heir", dir)
	stopped.signal(t, syscall.SIGSTOP)
	start := time.Now()
	r, err := q.Await(within(t, 30*time.Second), id)
	if err != nil || string(r.Body.Raw()) != `"by w-heir"` || r.Attempt != 2 {
		t.Fatalf("%+v, %v; want it done by the heir", r, err)
	}
	if took := time.Since(start); took > 20*time.Second { // its lease has 30 s
		t.Errorf("it was taken over after %v, want about 4 s", took)
	}
	if err := os.WriteFile(filepath.Join(dir, "release"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stopped.signal(t, syscall.SIGCONT)
	stopped.await(t, "lets go")
	_ = stopped.in.Close()
	if err := stopped.cmd.Wait(); err != nil { // it drains: what it had to say is said
		t.Error(err)
	}
	if r, err := q.Result(t.Context(), id); err != nil || string(r.Body.Raw()) != `"by w-heir"` {
		t.Errorf("%+v, %v; want the heir's result", r, err)
	}
	if i := info(t, q); i.Done != 1 || i.Retried != 0 || i.Waiting+i.Running+i.Delayed+i.Dead != 0 {
		t.Errorf("%+v; want it done once", i)
	}
	_ = heir.in.Close()
	if err := heir.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
