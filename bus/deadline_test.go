package bus

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// A context without a deadline gets the default; a deadline beyond MaxTimeout is cut.
func TestDefaultDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		nodes := settled(t, hub, 2)
		short := join(t, hub, "short", func(o *Options) { o.Timeout = 700 * time.Millisecond })
		connect(t, nodes[1], staysSilent, User("42"))
		for _, c := range []struct {
			from *Bus
			most time.Duration // 0: no deadline
			want time.Duration
		}{{nodes[0], 0, 5 * time.Second}, {short, 0, 700 * time.Millisecond},
			{nodes[0], time.Hour, MaxTimeout}, {short, 3 * time.Second, 3 * time.Second}} {
			start, ctx := time.Now(), t.Context()
			if c.most > 0 {
				ctx = within(t, c.most)
			}
			r, err := c.from.Request(ctx, User("42"), "e", JSON(1))
			took(t, start, c.want, c.want+50*time.Millisecond)
			wantOutcome(t, r, err, OutcomeUnconfirmed)
		}
	})
}

// Every request ends by its deadline plus 50 ms, whatever the deadline, and what a client still says at the last moment counts.
func TestDeadlines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(&relay.HubOptions{Delay: func() time.Duration { return time.Millisecond }}), 2)
		for _, a := range []struct {
			to string
			do answer
		}{{"silent", staysSilent}, {"unwritten", neverWrites}} {
			connect(t, nodes[1], a.do, User(a.to))
		}
		for _, to := range []Address{User("silent"), User("unwritten")} {
			for _, d := range []time.Duration{1, time.Millisecond, 3 * time.Millisecond, 17 * time.Millisecond, 249 * time.Millisecond,
				250 * time.Millisecond, 1003 * time.Millisecond} {
				start := time.Now()
				r, err := nodes[0].Request(within(t, d), to, "e", JSON(1))
				took(t, start, d, d+50*time.Millisecond)
				if err == nil || r == nil && !errors.Is(err, ErrUnavailable) { // it may have had no time to leave
					t.Errorf("%v to %v: %v, %v", d, to, r, err)
				}
			}
		}
		connect(t, nodes[1], later(90*time.Millisecond, confirms), User("late"))
		r, err := nodes[0].Request(within(t, 100*time.Millisecond), User("late"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
	})
}

// A cancelled context ends a request at once; the error wraps the outcome and the cause.
func TestCancel(t *testing.T) {
	cause := errors.New("the user went away")
	for _, c := range []struct {
		name   string
		answer answer
		want   Outcome
	}{{"written", staysSilent, OutcomeUnconfirmed}, {"claimed", neverWrites, OutcomeUnknown}} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				nodes := settled(t, relay.NewHub(nil), 2)
				k := connect(t, nodes[1], c.answer, User("42"))
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
				start := time.Now()
				r, err := nodes[0].Request(ctx, User("42"), "e", JSON(1))
				took(t, start, 100*time.Millisecond, 100*time.Millisecond)
				wantOutcome(t, r, err, c.want)
				if !errors.Is(err, cause) {
					t.Errorf("%v does not wrap the cause", err)
				}
				pass(time.Millisecond)
				k.ticket().Confirm(Body{})
				pass(10 * time.Second)
				if s := nodes[0].Stats(); s.LateReports != 0 {
					t.Errorf("%d reports came after the cancel", s.LateReports)
				}
			})
		})
	}
}

// A wake-up that comes late, for the request that had the pooled waiter before, holds nobody up.
func TestLateWakeup(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := settled(t, relay.NewHub(nil), 1)[0]
		p := b.takePending()
		p.wake <- struct{}{}
		if err := b.prepare(t.Context(), p, User("42"), "e", Bytes(make([]byte, 1000))); err != nil {
			t.Fatal(err)
		}
		b.requestsMu.Lock()
		b.requests.quota.taken[p.channel] = quotaBytes
		b.requestsMu.Unlock()
		ctx, cancel := context.WithCancelCause(t.Context())
		handed := make(chan struct{})
		time.AfterFunc(0, func() {
			b.hand(ctx, p)
			close(handed)
		})
		synctest.Wait()
		cancel(nil)
		select {
		case <-handed:
		case <-time.After(time.Minute):
			t.Error("still waiting for somebody to take a wake-up")
			<-p.wake
			<-handed
		}
		b.free(p)
	})
}
