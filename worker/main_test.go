package worker

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A node is one attached process of a test.
type node struct {
	bus  *bus.Bus
	jobs *Jobs
	t    *testing.T
}

func logger(t *testing.T) *slog.Logger {
	t.Helper()
	if os.Getenv("ACKBUS_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// attach attaches a node that ends with the test.
func attach(t *testing.T, url, prefix, name string) *node {
	t.Helper()
	b, err := bus.Open(t.Context(), url, &bus.Options{Name: name, Prefix: prefix, Lanes: 2, Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	jobs, err := Open(t.Context(), b, url, &Options{Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = jobs.Close() })
	return &node{b, jobs, t}
}

// shared attaches a node to the server that all tests share.
func shared(t *testing.T, name string) *node {
	t.Helper()
	return attach(t, redistest.Shared(t).URL(), redistest.Prefix(t), name)
}

// A running is a pool at work.
type running struct {
	pool  *Pool
	end   context.CancelFunc
	group *run.Group
	err   error
}

// stop drains the pool and returns what Run said.
func (r *running) stop() error {
	r.end()
	r.group.Stop()
	r.group.Wait()
	return r.err
}

// work runs a pool until the test ends.
func (n *node) work(opts *PoolOptions, prepare func(*Pool)) *running {
	n.t.Helper()
	p := n.jobs.Pool(opts)
	prepare(p)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{pool: p, end: cancel, group: run.New(context.Background())}
	r.group.Go(func() { r.err = p.Run(ctx) })
	n.t.Cleanup(func() { _ = r.stop() })
	return r
}

// client looks at Redis.
func (n *node) client() redis.UniversalClient { return n.jobs.store.client }

// until polls a condition, for what happens in Redis sends no signal.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	untilWithin(t, 30*time.Second, what, holds)
}

func untilWithin(t *testing.T, d time.Duration, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(d)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// within is a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// enqueue enqueues a job that has to be taken in.
func enqueue(t *testing.T, q *Queue, job any, opts ...EnqueueOption) JobID {
	t.Helper()
	id, err := q.Enqueue(within(t, 20*time.Second), job, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// wantError holds an error against the one that is wanted.
func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// receive takes what comes from a channel.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came within 20 s")
		panic("unreachable")
	}
}

// info counts a queue.
func info(t *testing.T, q *Queue) QueueInfo {
	t.Helper()
	i, err := q.Info(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// A tally counts by key.
type tally struct {
	mu sync.Mutex
	of map[string]int
}

func newTally() *tally { return &tally{of: make(map[string]int)} }

func (c *tally) add(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[key]++
	return c.of[key]
}

func (c *tally) count(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[key]
}

// end waits for goroutines that end by themselves.
func end(g *run.Group) {
	g.Stop()
	g.Wait()
}

func newGroup(t *testing.T) *run.Group {
	t.Helper()
	return run.New(t.Context())
}

// xadd adds an entry to a line, as a script would.
func xadd(stream, id string) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: stream, Values: []string{"j", id}}
}
