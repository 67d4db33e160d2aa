package rpc

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
)

// trio starts three instances of who and of wait, and a client that knows them.
func trio(t *testing.T, c *cluster, setUp func(b *bus.Bus, s *Server)) (*Client, []*Server, []*bus.Bus) {
	t.Helper()
	client := c.client()
	var servers []*Server
	var nodes []*bus.Bus
	for _, name := range []string{"a", "b", "c"} {
		b := c.node(name)
		servers = append(servers, serveAt(t, b, func(s *Server) {
			tells(b)(s)
			setUp(b, s)
		}))
		nodes = append(nodes, b)
	}
	settle()
	if _, err := Call[string](t.Context(), client, "who", struct{}{}); err != nil {
		t.Fatal(err)
	}
	return client, servers, nodes
}

func nothing(*bus.Bus, *Server) {}

// An instance that is gone costs one more hop, and never a time-out: of 300 calls right after its death none fails.
func TestGoneInstanceCostsOneHop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, nodes := trio(t, c, nothing)
		c.hub.Kill(nodes[1].Node().ID.String())
		start := time.Now()
		many(t, 300, func(int) {
			if who, err := Call[string](t.Context(), client, "who", struct{}{}); err != nil || who == "b" {
				t.Errorf("%q, %v", who, err)
			}
		})
		took(t, start, 0, 50*time.Millisecond)
	})
}

// Of the calls that a dying instance has, those that are not idempotent end as unknown with its name, and the others run elsewhere.
func TestDeathOfAnInstanceWithCalls(t *testing.T) {
	for _, idempotent := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			c := newCluster(t)
			slow := func(b *bus.Bus, s *Server) {
				Handle(s, "slow", func(ctx context.Context, _ struct{}) (string, error) {
					select {
					case <-time.After(500 * time.Millisecond):
						return b.Node().Name, nil
					case <-ctx.Done():
						return "", ctx.Err()
					}
				}, Concurrency(1000))
			}
			client, _, nodes := trio(t, c, slow)
			var opts []CallOption
			if idempotent {
				opts = append(opts, Idempotent())
			}
			var died time.Time
			time.AfterFunc(300*time.Millisecond, func() { died = time.Now(); c.hub.Kill(nodes[1].Node().ID.String()) })
			var unknown, fine atomic.Int64
			many(t, 300, func(int) {
				who, err := Call[string](within(t, 20*time.Second), client, "slow", struct{}{}, opts...)
				switch {
				case err == nil && who != "b":
					fine.Add(1)
				case CodeOf(err) == CodeUnknown && strings.Contains(err.Error(), "node b") && MayHaveRun(err):
					unknown.Add(1)
					if d := time.Since(died); d > time.Second {
						t.Errorf("known %v after the death", d)
					}
					if _, ok := errors.AsType[*bus.ReceiptError](err); !ok || IsRemote(err) {
						t.Errorf("%v", err)
					}
				default:
					t.Errorf("%q, %v", who, err)
				}
			})
			if n := unknown.Load(); idempotent && n != 0 || !idempotent && (n < 50 || n > 150) || fine.Load()+n != 300 {
				t.Errorf("idempotent %v: %d unknown, %d fine", idempotent, n, fine.Load())
			}
		})
	}
}

// A method that is declared idempotent where it is served needs no option of the caller.
func TestIdempotentByTheMethod(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		var runs atomic.Int64
		block := func(b *bus.Bus, s *Server) {
			Handle(s, "once", func(ctx context.Context, _ struct{}) (string, error) {
				if runs.Add(1) == 1 {
					c.hub.Kill(b.Node().ID.String())
					<-ctx.Done()
				}
				return b.Node().Name, nil
			}, Idempotent())
		}
		client, _, _ := trio(t, c, block)
		if who, err := Call[string](t.Context(), client, "once", struct{}{}); err != nil || runs.Load() != 2 {
			t.Errorf("%q, %v after %d runs", who, err, runs.Load())
		}
	})
}

// When every instance is gone the call says so, and says it did not run.
func TestEveryInstanceGone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, nodes := trio(t, c, nothing)
		for _, b := range nodes {
			c.hub.Kill(b.Node().ID.String())
		}
		start := time.Now()
		_, err := Call[string](t.Context(), client, "who", struct{}{})
		wantCode(t, err, CodeUnavailable, false)
		took(t, start, 0, 5*time.Second)
	})
}

// A count of nobody is not believed of everybody: in a moment in which Redis counts no subscriber, calls wait for it.
func TestNobodyCountedForAMoment(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, nodes := trio(t, c, nothing)
		for _, b := range nodes {
			c.hub.Fall(b.Node().ID.String(), relay.AllLanes, 200*time.Millisecond)
		}
		many(t, 50, func(int) {
			if _, err := Call[string](within(t, 10*time.Second), client, "who", struct{}{}); err != nil {
				t.Error(err)
			}
		})
	})
}

// A full instance refuses at once, and the call goes on to another; when all are full the caller learns it at once.
func TestOverloadedInstances(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		release := make(chan struct{})
		busy := func(b *bus.Bus, s *Server) {
			Handle(s, "busy", func(context.Context, struct{}) (string, error) {
				<-release
				return b.Node().Name, nil
			}, Concurrency(1), Queue(-1))
		}
		client, _, _ := trio(t, c, busy)
		var served sync.Map
		var refused atomic.Int64
		time.AfterFunc(time.Second, func() { close(release) })
		many(t, 10, func(int) {
			start := time.Now()
			who, err := Call[string](t.Context(), client, "busy", struct{}{})
			if err == nil {
				served.Store(who, true)
				return
			}
			refused.Add(1)
			wantCode(t, err, CodeOverloaded, false)
			took(t, start, 0, 50*time.Millisecond)
			if !IsRemote(err) {
				t.Errorf("%v is not remote", err)
			}
		})
		for _, name := range []string{"a", "b", "c"} {
			if _, ok := served.Load(name); !ok {
				t.Errorf("%s was left idle", name)
			}
		}
		if refused.Load() != 7 {
			t.Errorf("%d refused, want 7", refused.Load())
		}
	})
}

// An error says that the call did not run only if no instance that was tried may have run it: not the last one alone decides.
func TestRanSomewhere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, release := c.client(), make(chan struct{})
		var dies atomic.Pointer[bus.Bus]
		for _, name := range []string{"a", "b"} {
			b := c.node(name)
			serveAt(t, b, func(s *Server) {
				Handle(s, "m", func(ctx context.Context, _ struct{}) (int, error) {
					if dies.Load() == b {
						c.hub.Kill(b.Node().ID.String())
						<-ctx.Done()
					}
					<-release
					return 0, nil
				}, Concurrency(1), Queue(-1), Idempotent())
			})
			if name == "a" {
				dies.Store(b)
			}
		}
		settle()
		busy := make(chan error, 1)
		time.AfterFunc(0, func() {
			_, err := Call[int](within(t, 20*time.Second), client, "m", struct{}{}, OnNode("b"))
			busy <- err
		})
		pass(100 * time.Millisecond)
		_, err := Call[int](within(t, 10*time.Second), client, "m", struct{}{}) // a has none of its calls in flight, so it comes first
		wantCode(t, err, CodeOverloaded, true)
		close(release)
		if err := <-busy; err != nil {
			t.Error(err)
		}
	})
}

// Without a deadline a call has the bus's time, however many instances it tries.
func TestTimeOfAllAttempts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.timeout = 7 * time.Second
		var runs atomic.Int64
		client, _, _ := trio(t, c, func(b *bus.Bus, s *Server) {
			Handle(s, "m", func(ctx context.Context, _ struct{}) (int, error) {
				if runs.Add(1) == 1 {
					<-time.After(3 * time.Second)
					c.hub.Kill(b.Node().ID.String())
				}
				<-ctx.Done()
				return 0, ctx.Err()
			}, Idempotent())
		})
		start := time.Now()
		_, err := Call[int](context.WithoutCancel(t.Context()), client, "m", struct{}{})
		wantCode(t, err, CodeTimeout, true)
		took(t, start, c.timeout, c.timeout+50*time.Millisecond)
		if runs.Load() != 2 {
			t.Errorf("%d runs", runs.Load())
		}
	})
}

// The code of a handler's own error does not send the call elsewhere, whatever it is.
func TestOverloadedByTheHandlerIsFinal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		var runs atomic.Int64
		client, _, _ := trio(t, c, func(_ *bus.Bus, s *Server) {
			Handle(s, "says", func(_ context.Context, code string) (int, error) {
				runs.Add(1)
				return 0, &Error{Code: Code(code), Message: "so I say"}
			})
			Handle(s, "says much", func(context.Context, struct{}) (int, error) {
				runs.Add(1)
				return 0, &Error{Code: CodeOverloaded, Details: strings.Repeat("x", 2<<20)} // more than can be sent
			})
		})
		for _, code := range []Code{CodeOverloaded, CodeDraining, CodeUnavailable, CodeUnknown} {
			runs.Store(0)
			_, err := Call[int](t.Context(), client, "says", string(code))
			wantCode(t, err, code, true)
			if runs.Load() != 1 || !IsRemote(err) {
				t.Errorf("%s: %d runs, %v", code, runs.Load(), err)
			}
		}
		runs.Store(0)
		_, err := Call[int](t.Context(), client, "says much", struct{}{})
		wantCode(t, err, CodeOverloaded, true)
		if runs.Load() != 1 {
			t.Errorf("%d runs", runs.Load())
		}
	})
}

// A rolling restart under load: each instance drains and comes back as another node, and no call fails.
func TestRollingRestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, servers, nodes := trio(t, c, nothing)
		ctx, cancel := context.WithCancel(t.Context())
		var calls atomic.Int64
		done := make(chan struct{})
		time.AfterFunc(0, func() {
			defer close(done)
			many(t, 50, func(int) {
				for ctx.Err() == nil {
					calls.Add(1)
					if _, err := Call[string](t.Context(), client, "who", struct{}{}); err != nil {
						t.Error(err)
					}
				}
			})
		})
		for i := range servers {
			pass(500 * time.Millisecond)
			if err := servers[i].Drain(within(t, 5*time.Second)); err != nil {
				t.Error(err)
			}
			if err := nodes[i].Drain(within(t, 5*time.Second)); err != nil {
				t.Error(err)
			}
			b := c.node("new")
			serveAt(t, b, tells(b))
		}
		pass(500 * time.Millisecond)
		cancel()
		<-done
		if who, err := Call[string](t.Context(), client, "who", struct{}{}); who != "new" || err != nil || calls.Load() < 10_000 {
			t.Errorf("%q, %v after %d calls", who, err, calls.Load())
		}
	})
}

// A node that does not say what it serves holds up nobody who knows enough.
func TestNodeThatDoesNotTell(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		mute := c.node("mute")
		mute.Serve(3, 1)
		client := c.client()
		b := c.node("a")
		serveAt(t, b, tells(b))
		settle()
		start := time.Now()
		if who, err := Call[string](t.Context(), client, "who", struct{}{}); who != "a" || err != nil {
			t.Fatalf("%q, %v", who, err)
		}
		took(t, start, 0, 50*time.Millisecond)
		_, err := Call[string](t.Context(), client, "absent", struct{}{})
		wantCode(t, err, CodeUnavailable, false)
		if _, err := client.Methods(t.Context()); err == nil || !strings.Contains(err.Error(), "mute") {
			t.Errorf("%v does not name the node", err)
		}
	})
}
