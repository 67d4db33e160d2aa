package acceptance

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// besideMost is how many requests are under way at most beside what happens. Further ones wait, which counts.
const besideMost = 200

// Times are how long requests took, in order.
type times []time.Duration

// share is the time within which that share of the requests ended.
func (s times) share(of float64) time.Duration { return s[int(float64(len(s)-1)*of)] }

func (s times) String() string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
	return fmt.Sprintf("p50 %s, p99 %s, max %s of %d", ms(s.share(0.5)), ms(s.share(0.99)), ms(s.share(1)), len(s))
}

// beside has a request made to one of the others every so often while something happens, and returns how long they took, each of which must
// be confirmed. They are due whether those before have ended or not, and count from then on: so a time in which nothing goes shows whole.
func beside(t *testing.T, at *node, others int, every time.Duration, happens func()) times {
	t.Helper()
	var (
		mu   sync.Mutex // guards took
		took times
	)
	requests, slots := run.New(t.Context()), make(chan struct{}, besideMost)
	pacer := run.New(t.Context())
	pacer.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		began := time.Now()
		for n := 0; ; {
			select {
			case <-tick.C:
			case <-pacer.Context().Done():
				return
			}
			for ; time.Since(began) >= time.Duration(n)*every && pacer.Context().Err() == nil; n++ {
				due, to := began.Add(time.Duration(n)*every), fmt.Sprint("user:other", n%others)
				slots <- struct{}{} // each request ends
				requests.Go(func() {
					defer func() { <-slots }()
					if a := at.ask(to, nil); a.failed != nil || a.Outcome != "confirmed" {
						t.Errorf("to another: %v", a)
					}
					mu.Lock()
					defer mu.Unlock()
					took = append(took, time.Since(due))
				})
			}
		}
	})
	happens()
	pacer.Stop()
	pacer.Wait()
	requests.Stop()
	requests.Wait()
	if len(took) < 20 {
		t.Fatalf("only %d requests were made", len(took))
	}
	slices.Sort(took)
	return took
}

// pause lets time go by in which something is measured.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}
