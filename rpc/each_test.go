package rpc

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
)

func TestCallEach(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, nodes := trio(t, c, nothing)
		var names []string
		var receipt *bus.Receipt
		for reply, err := range CallEach[string](t.Context(), client, "who", struct{}{}, Trace(&receipt)) {
			member := slices.ContainsFunc(nodes, func(b *bus.Bus) bool { return b.Node().ID == reply.NodeID })
			if err != nil || reply.Value != reply.Node || !member || reply.Elapsed <= 0 {
				t.Errorf("%+v, %v", reply, err)
			}
			names = append(names, reply.Value)
		}
		if slices.Sort(names); !slices.Equal(names, []string{"a", "b", "c"}) {
			t.Errorf("%q", names)
		}
		if receipt == nil || receipt.Expected != 3 {
			t.Errorf("receipt: %v", receipt)
		}
	})
}

// Of an instance that fails the error is yielded with its name, and the loop goes on; answers come as they are made.
func TestCallEachWithFailures(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, _, nodes := trio(t, c, func(b *bus.Bus, s *Server) {
			Handle(s, "mixed", func(ctx context.Context, _ struct{}) (string, error) {
				switch name := b.Node().Name; name {
				case "a":
					return name, nil
				case "b":
					return "", Errorf(CodeNotFound, "not here")
				default:
					<-ctx.Done()
					return "", ctx.Err()
				}
			})
		})
		time.AfterFunc(time.Second, func() { c.hub.Kill(nodes[2].Node().ID.String()) })
		start := time.Now()
		got := make(map[string]Code)
		for reply, err := range CallEach[string](within(t, 20*time.Second), client, "mixed", struct{}{}) {
			got[reply.Node] = CodeOf(err)
			if reply.Node != "c" {
				took(t, start, 0, 100*time.Millisecond)
			}
		}
		took(t, start, time.Second, 2*time.Second)
		if len(got) != 3 || got["a"] != "" || got["b"] != CodeNotFound || got["c"] != CodeUnknown {
			t.Errorf("%v", got)
		}
	})
}

// Leaving the loop, by whatever way, ends the calls that still run.
func TestLeavingCallEach(t *testing.T) {
	for _, leave := range []string{"break", "panic"} {
		inBubble(t, func(t *testing.T) {
			c := newCluster(t)
			ended := make(chan error, 3)
			client, _, _ := trio(t, c, func(b *bus.Bus, s *Server) {
				Handle(s, "m", func(ctx context.Context, _ struct{}) (string, error) {
					if b.Node().Name == "a" {
						return "a", nil
					}
					<-ctx.Done()
					ended <- context.Cause(ctx)
					return "", ctx.Err()
				})
			})
			func() {
				defer func() { _ = recover() }()
				for range CallEach[string](t.Context(), client, "m", struct{}{}) {
					if leave == "panic" {
						panic("in the loop")
					}
					break
				}
			}()
			start := time.Now()
			for range 2 {
				if cause := <-ended; !errors.Is(cause, bus.ErrGivenUp) {
					t.Errorf("%s: %v", leave, cause)
				}
			}
			took(t, start, 0, 100*time.Millisecond)
		})
	}
}

// An instance that is known, and that Redis counts nobody for at the moment, is not passed over in silence.
func TestCallEachMissesAnInstance(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		var seen error
		client, servers, nodes := trio(t, c, nothing)
		watching := clientAt(t, client.bus, func(next Invoker) Invoker {
			return func(ctx context.Context, r *Request) (reply bus.Body, err error) {
				reply, seen = next(ctx, r)
				return reply, seen
			}
		})
		answers := func() map[string]Code {
			got := make(map[string]Code)
			for reply, err := range CallEach[string](within(t, 5*time.Second), watching, "who", struct{}{}) {
				if got[reply.Node] = CodeOf(err); err != nil {
					wantCode(t, err, CodeUnavailable, false)
				}
			}
			return got
		}
		everyone := map[string]Code{"a": "", "b": "", "c": ""}
		if got := answers(); !maps.Equal(got, everyone) || seen != nil {
			t.Errorf("%v, %v", got, seen)
		}
		c.hub.Fall(nodes[1].Node().ID.String(), relay.AllLanes, 200*time.Millisecond)
		if got := answers(); !maps.Equal(got, map[string]Code{"a": "", "b": CodeUnavailable, "c": ""}) {
			t.Errorf("%v", got)
		}
		wantCode(t, seen, CodeUnavailable, true)
		pass(time.Second)
		if got := answers(); !maps.Equal(got, everyone) || seen != nil {
			t.Errorf("%v, %v", got, seen)
		}
		_ = servers[1].Close() // it says so, and is missed no more
		pass(10 * time.Millisecond)
		if got := answers(); len(got) != 2 || seen != nil {
			t.Errorf("%v, %v", got, seen)
		}
	})
}

func TestCallEachOfNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client, servers, nodes := trio(t, c, nothing)
		yielded := func(method string) (codes []Code) {
			for _, err := range CallEach[string](within(t, 5*time.Second), client, method, struct{}{}) {
				codes = append(codes, CodeOf(err))
			}
			return codes
		}
		if got := yielded("absent"); !slices.Equal(got, []Code{CodeUnknownMethod}) {
			t.Errorf("%q", got)
		}
		for i := range nodes {
			c.hub.Kill(nodes[i].Node().ID.String())
		}
		if got := yielded("who"); !slices.Equal(got, []Code{CodeUnavailable}) {
			t.Errorf("%q", got)
		}
		_ = servers
	})
}

// Calls of one instance and of all share the method's slots.
func TestSlotsAreShared(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		var running, most int
		turn := make(chan struct{}, 1)
		s, _ := c.server("s", func(s *Server) {
			Handle(s, "m", func(context.Context, struct{}) (int, error) {
				turn <- struct{}{}
				running++
				most = max(most, running)
				<-turn
				<-time.After(10 * time.Millisecond)
				turn <- struct{}{}
				running--
				<-turn
				return 0, nil
			}, Concurrency(2))
		})
		settle()
		many(t, 20, func(i int) {
			if i%2 == 0 {
				if _, err := Call[int](t.Context(), client, "m", struct{}{}); err != nil {
					t.Error(err)
				}
				return
			}
			for _, err := range CallEach[int](t.Context(), client, "m", struct{}{}) {
				if err != nil {
					t.Error(err)
				}
			}
		})
		if stats, _ := s.Stats("m"); most != 2 || stats.Calls != 20 || stats.InFlight != 0 || stats.Errors != 0 {
			t.Errorf("%d at once; %+v", most, stats)
		}
	})
}
