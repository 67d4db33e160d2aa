package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

// inBubble runs a test in virtual time, a day of it at most: what waits in vain there would wait for ever, since the clocks go on.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		end := time.AfterFunc(24*time.Hour, func() { panic(t.Name() + " waits in vain") })
		defer end.Stop()
		test(t)
	})
}

// pass lets virtual time pass, and what is due then happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

var quiet = slog.New(slog.DiscardHandler)

// cluster is nodes on one hub, with hops of a millisecond.
type cluster struct {
	t       *testing.T
	hub     *relay.Hub
	timeout time.Duration // of the nodes; 0: the default
	faults  atomic.Pointer[func(relay.Crossing) relay.Fault]
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t}
	c.hub = relay.NewHub(&relay.HubOptions{
		Delay: func() time.Duration { return time.Millisecond },
		Fault: func(x relay.Crossing) relay.Fault {
			if f := c.faults.Load(); f != nil {
				return (*f)(x)
			}
			return relay.Fault{}
		},
	})
	return c
}

// node starts a node that ends with the test.
func (c *cluster) node(name string) *bus.Bus {
	c.t.Helper()
	b, err := bus.New(c.t.Context(), c.hub.Relay(), &bus.Options{Name: name, Logger: quiet, Timeout: c.timeout})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = b.Close() })
	return b
}

// server makes a server at a node of its own. Methods are registered by setUp.
func (c *cluster) server(name string, setUp func(*Server), opts ...ServerOptions) (*Server, *bus.Bus) {
	c.t.Helper()
	b := c.node(name)
	return serveAt(c.t, b, setUp, opts...), b
}

func serveAt(t *testing.T, b *bus.Bus, setUp func(*Server), opts ...ServerOptions) *Server {
	t.Helper()
	o := ServerOptions{Logger: quiet}
	if len(opts) > 0 {
		o = opts[0]
		o.Logger = quiet
	}
	s, err := NewServer(b, &o)
	if err != nil {
		t.Fatal(err)
	}
	setUp(s)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// client makes a client at a node of its own.
func (c *cluster) client(interceptors ...Interceptor) *Client {
	c.t.Helper()
	return clientAt(c.t, c.node("caller"), interceptors...)
}

func clientAt(t *testing.T, b *bus.Bus, interceptors ...Interceptor) *Client {
	t.Helper()
	client, err := NewClient(b, &ClientOptions{Logger: quiet, Interceptors: interceptors})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// settle lets the members know each other.
func settle() { pass(2 * time.Second) }

// terms are what most test methods take.
type terms struct {
	A int `json:"a"`
	B int `json:"b"`
}

// adds serves math.sum.
func adds(s *Server) {
	Handle(s, "math.sum", func(_ context.Context, in terms) (int, error) { return in.A + in.B, nil })
}

// tells serves who, which answers with the name of its node.
func tells(b *bus.Bus) func(*Server) {
	return func(s *Server) {
		Handle(s, "who", func(context.Context, struct{}) (string, error) { return b.Node().Name, nil })
	}
}

// waits serves wait, which ends when its context does, and then says so.
func waits(ended chan<- error, opts ...MethodOption) func(*Server) {
	return func(s *Server) {
		Handle(s, "wait", func(ctx context.Context, _ struct{}) (int, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return 0, ctx.Err()
		}, opts...)
	}
}

// wantCode holds an error against its code, and whether the call may have run.
func wantCode(t *testing.T, err error, code Code, mayHaveRun bool) {
	t.Helper()
	if CodeOf(err) != code || MayHaveRun(err) != mayHaveRun {
		t.Errorf("%v (may have run: %v); want code %q, may have run: %v", err, MayHaveRun(err), code, mayHaveRun)
	}
}

// took holds the time since the start against the least and the most that it may be.
func took(t *testing.T, start time.Time, least, most time.Duration) {
	t.Helper()
	if d := time.Since(start); d < least || d > most {
		t.Errorf("it took %v, want %v to %v", d, least, most)
	}
}

// within is a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// many runs f n times at once, and waits.
func many(t *testing.T, n int, f func(i int)) {
	t.Helper()
	var all sync.WaitGroup
	all.Add(n)
	g := run.New(t.Context())
	for i := range n {
		g.Go(func() {
			defer all.Done()
			f(i)
		})
	}
	all.Wait()
	g.Stop()
	g.Wait()
}

// until waits in real time until the condition holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(30 * time.Second); !holds(); <-ticker.C {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

var errTest = errors.New("out of paper")

func key(i int) string { return fmt.Sprintf("key-%d", i) }
