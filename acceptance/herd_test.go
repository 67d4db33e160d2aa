package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// herdEnv is how many clients are thrown off at once, in place of some hundred.
const herdEnv = "ACKBUS_HERD"

// numberFrom reads a number from the environment.
func numberFrom(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Whoever is connected to a node that dies comes to the other one, all within 30 s, and the requests of those who were there before hardly
// notice.
func TestHerd(t *testing.T) {
	const allBack, others = 30 * time.Second, 5
	n := numberFrom(t, herdEnv, 500)
	c := newCluster(t)
	for i := range others {
		connect(t, c.gw1, carriers[i%3], fmt.Sprint("other", i), confirm)
	}
	herd := newRoamers(t, c.gw2)
	for i := range n {
		herd.join(fmt.Sprint("u", i), carriers[i%3])
	}
	within(t, time.Minute+time.Duration(n)*10*time.Millisecond, "all are there", func() bool { return herd.here.Load() == int64(n) })
	quiet := beside(t, c, others, func() {
		for i, began := 0, time.Now(); time.Since(began) < time.Second; i++ {
			c.gw1.ask(fmt.Sprint("user:u", i%n), nil).want(t, http.StatusOK, "confirmed")
		}
	})
	var took time.Duration
	noisy := beside(t, c, others, func() {
		herd.target.Store(c.gw1)
		thrown := time.Now()
		c.gw2.kill()
		eventually(t, "all have noticed", func() bool { return herd.here.Load() < int64(n)/2 })
		within(t, allBack, "all are back", func() bool { return herd.here.Load() == int64(n) })
		took = time.Since(thrown)
	})
	t.Logf("%d clients were back after %v; other requests: p99 %v, and %v in the quiet before", n, took.Round(time.Millisecond), noisy,
		quiet)
	limit := 100 * time.Millisecond
	if os.Getenv(herdEnv) == "" { // other tests run beside this one, with the race detector
		limit = time.Second
	}
	if noisy > limit {
		t.Errorf("p99 of other requests: %v, and %v in the quiet before", noisy, quiet)
	}
	if held := c.gw1.metric(t, "ackbus_connections"); int(held) != n+others {
		t.Errorf("the node holds %.0f connections", held)
	}
	for i := range 200 {
		c.gw1.ask(fmt.Sprint("user:u", (i*7919)%n), nil).want(t, http.StatusOK, "confirmed")
	}
}

// beside has requests made to the others while something happens, and returns the time within which 99 of 100 were confirmed.
func beside(t *testing.T, c *cluster, others int, happens func()) time.Duration {
	t.Helper()
	const askers, every = 4, 10 * time.Millisecond
	var (
		mu   sync.Mutex
		took []time.Duration
	)
	group := run.New(t.Context())
	for i := range askers {
		group.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for n := i; ; n++ {
				select {
				case <-tick.C:
				case <-group.Context().Done():
					return
				}
				a := c.gw1.ask(fmt.Sprint("user:other", n%others), nil)
				if a.failed != nil || a.Outcome != "confirmed" {
					t.Errorf("to another: %v", a)
					return
				}
				mu.Lock()
				took = append(took, a.took)
				mu.Unlock()
			}
		})
	}
	happens()
	group.Stop()
	group.Wait()
	if len(took) < 100 {
		t.Fatalf("only %d requests were made", len(took))
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}
