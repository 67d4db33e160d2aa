package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"
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
// notice, from the throw until two seconds after the last one is back.
func TestHerd(t *testing.T) {
	const allBack, others = 30 * time.Second, 20
	n, every, after, limit := numberFrom(t, herdEnv, 500), 2500*time.Microsecond, 2*time.Second, 100*time.Millisecond
	if os.Getenv(herdEnv) == "" { // other tests run beside this one
		every, after, limit = 20*time.Millisecond, time.Second, time.Second
		if raced {
			limit = 3 * time.Second
		}
	}
	c := newCluster(t)
	for i := range others {
		connect(t, c.gw1, carriers[i%3], fmt.Sprint("other", i), confirm)
	}
	herd := startHerd(t, n, c.gw2)
	within(t, time.Minute+time.Duration(n)*10*time.Millisecond, "all are there", func() bool { return herd.here.Load() == int64(n) })
	quiet := beside(t, c.gw1, others, every, func() { pause(t, after) })
	var took time.Duration
	noisy := beside(t, c.gw1, others, every, func() {
		herd.move(t, c.gw1)
		thrown := time.Now()
		c.gw2.kill()
		within(t, allBack, "all are back", func() bool { return herd.fallen.Load() >= int64(n) && herd.here.Load() == int64(n) })
		took = time.Since(thrown)
		pause(t, after)
	})
	t.Logf("%d clients were back after %v; other requests meanwhile: %v; in the quiet before: %v", n, took.Round(time.Millisecond), noisy,
		quiet)
	if p99 := noisy.share(0.99); p99 > limit {
		t.Errorf("p99 of other requests: %v, and %v in the quiet before", p99, quiet.share(0.99))
	}
	if p50 := noisy.share(0.5); p50 > limit/5 {
		t.Errorf("p50 of other requests: %v, and %v in the quiet before", p50, quiet.share(0.5))
	}
	if held := c.gw1.metric(t, "ackbus_connections"); int(held) != n+others {
		t.Errorf("the node holds %.0f connections", held)
	}
	for i := range 200 {
		c.gw1.ask(fmt.Sprint("user:u", (i*7919)%n), nil).want(t, http.StatusOK, "confirmed")
	}
}
