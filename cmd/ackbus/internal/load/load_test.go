package load_test

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/cmd/ackbus/internal/load"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/pause"
)

func TestMain(m *testing.M) { leak.Main(m) }

// run puts a load on, in virtual time.
func run(ctx context.Context, t *testing.T, o load.Options) load.Result {
	t.Helper()
	l, err := load.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l.Run(ctx, time.Second, nil)
}

// after answers after a time, unless it is given up.
func after(d time.Duration) func(context.Context, int) load.Answer {
	return func(ctx context.Context, _ int) load.Answer {
		pause.For(ctx, d)
		return load.Answer{Outcome: "confirmed", Met: true, Bytes: 3}
	}
}

// near is as near as a histogram of three digits comes.
func near(got, want time.Duration) bool { return math.Abs(float64(got-want)) <= float64(want)/500 }

func TestAsFastAsAnswersCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		r := run(t.Context(), t, load.Options{Requests: 1000, InFlight: 10, Send: func(ctx context.Context, n int) load.Answer {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			return after(100*time.Millisecond)(ctx, n)
		}})
		if r.Requests != 1000 || r.Unmet != 0 || r.Bytes != 3000 || r.Took != 10*time.Second || r.Rate() != 100 || most.Load() != 10 {
			t.Errorf("%+v, %d in flight", r, most.Load())
		}
		const each = 100 * time.Millisecond
		if l := r.Rows[0].Latencies; !near(l.Min, each) || !near(l.P999, each) || !near(l.Max, each) {
			t.Errorf("%+v", l)
		}
	})
}

// What is under way when the time is over is awaited.
func TestDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t.Context(), t, load.Options{Duration: time.Second, InFlight: 2, Send: after(300 * time.Millisecond)})
		if r.Requests != 8 || r.Took != 1200*time.Millisecond || r.Unsent != 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t.Context(), t, load.Options{Duration: time.Second, Rate: 100, InFlight: 50, Send: after(20 * time.Millisecond)})
		if r.Requests != 100 || r.Unsent != 0 || !near(r.Rows[0].Latencies.Max, 20*time.Millisecond) {
			t.Errorf("%+v", r)
		}
	})
}

// A system that stalls for a second makes everything late that was due meanwhile, and the latencies say so.
func TestStallIsNotHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		send := func(ctx context.Context, n int) load.Answer {
			if n == 100 {
				return after(time.Second)(ctx, n)
			}
			return after(time.Millisecond)(ctx, n)
		}
		r := run(t.Context(), t, load.Options{Duration: 10 * time.Second, Rate: 100, InFlight: 1, Send: send})
		l := r.Rows[0].Latencies
		if r.Requests != 1000 || !near(l.Max, time.Second) || l.P90 < 50*time.Millisecond || l.P50 > 2*time.Millisecond {
			t.Errorf("%+v", r)
		}
	})
}

func TestUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t.Context(), t, load.Options{Duration: time.Second, Rate: 100, InFlight: 1, Send: after(100 * time.Millisecond)})
		if r.Requests != 10 || r.Unsent != 90 {
			t.Errorf("%+v", r)
		}
	})
}

// Broken off, what is under way does not count, and what is not yet due is not missed.
func TestBrokenOff(t *testing.T) {
	for _, rate := range []float64{0, 10} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 1050*time.Millisecond)
			defer cancel()
			r := run(ctx, t, load.Options{Duration: time.Hour, Rate: rate, InFlight: 2, Send: after(200 * time.Millisecond)})
			if r.Requests != 10 && r.Requests != 9 || r.Abandoned != 2 || r.Unsent != 0 || r.Took != 1050*time.Millisecond {
				t.Errorf("at %v a second: %+v", rate, r)
			}
		})
	}
}

func TestRows(t *testing.T) {
	answers := []load.Answer{
		{Outcome: "confirmed", Met: true}, {Outcome: "unknown"}, {Outcome: "unknown"},
		{Outcome: "unavailable", Failed: true, Text: "first"},
	}
	synctest.Test(t, func(t *testing.T) {
		var watched int
		send := func(ctx context.Context, n int) load.Answer {
			pause.For(ctx, time.Duration(n%4+1)*time.Second)
			a := answers[n%4]
			if a.Failed && n > 4 {
				a.Text = "later"
			}
			return a
		}
		l, err := load.New(load.Options{Requests: 40, Duration: time.Minute, InFlight: 1, Send: send})
		if err != nil {
			t.Fatal(err)
		}
		r := l.Run(t.Context(), 10500*time.Millisecond, func(p load.Progress) {
			if watched++; watched == 1 && (p.Requests != 4 || p.Unmet != 3 || p.Done != 0.175 || p.Left != 49500*time.Millisecond ||
				!near(p.P50, time.Second)) {
				t.Errorf("%+v", p)
			}
		})
		var got string
		for _, one := range r.Rows {
			got += fmt.Sprintf("%s %d met=%t failed=%t %q; ", one.Outcome, one.Requests, one.Met, one.Failed, one.Text)
		}
		const want = `confirmed 6 met=true failed=false ""; unknown 12 met=false failed=false ""; ` +
			`unavailable 6 met=false failed=true "first"; `
		if got != want || r.Requests != 24 || r.Unmet != 18 || watched < 5 {
			t.Errorf("got %s(%+v), watched %d times", got, r, watched)
		}
	})
}

func TestBadOptions(t *testing.T) {
	send := after(0)
	for _, o := range []load.Options{
		{}, {Send: send}, {Send: send, InFlight: 1}, {Send: send, Requests: 1}, {Send: send, InFlight: 1, Requests: -1},
		{Send: send, InFlight: 1, Requests: 1, Rate: -1}, {Send: send, InFlight: 1, Requests: 1, Rate: math.NaN()},
		{Send: send, InFlight: 1, Requests: 1, Duration: -1}, {InFlight: 1, Requests: 1},
	} {
		if _, err := load.New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
