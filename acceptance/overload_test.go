package acceptance

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// overloadEnv is for how long there is too much to do, in place of some seconds.
const overloadEnv = "ACKBUS_OVERLOAD"

const (
	clientPace  = 20 * time.Millisecond // that a client needs for a message
	askEvery    = clientPace / 2        // so a client gets twice what it can take
	askedBytes  = 32 << 10              // a message: enough of them fill what the kernel holds
	askedWithin = time.Second           // the time of a request
)

// redisLimit is what Redis may take meanwhile: there is room for what nodes may have on their way, and for its output buffers.
const redisLimit = 100 << 20

// Clients that get twice what they can take: volatile messages are dropped, which is told, with how many were waiting; each of the others
// ends with what became of it, and the clients saw the same; memory is bounded; and soon after all is as before.
func TestOverload(t *testing.T) {
	lasting, slowClients := 4*time.Second, 1
	calm, prompt := 5*time.Second, time.Second // other tests run beside this one, with the race detector
	if text := os.Getenv(overloadEnv); text != "" {
		slowClients, calm, prompt = 3, 2*time.Second, 300*time.Millisecond
		var err error
		if lasting, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	c := newCluster(t)
	o := &overload{c: c, clients: slowClients, ended: make(map[string]int), receipts: make(map[string]*answer), seen: make(map[string]int)}
	slow := newRoamers(t, c.gw2)
	slow.pace, slow.tight, slow.react = clientPace, true, o.see
	for i := range slowClients {
		slow.join(fmt.Sprint("slow", i), carriers[i%3])
	}
	eventually(t, "all are there", func() bool { return slow.here.Load() == int64(slowClients) })
	requests := run.New(t.Context())
	peak := o.last(t, lasting, requests)
	over := time.Now()
	for i := range slowClients {
		eventually(t, "it is as before", func() bool {
			a := c.gw1.ask(fmt.Sprint("user:slow", i), object{"volatile": true, "timeout_ms": prompt.Milliseconds()})
			return a.Outcome == "confirmed"
		})
	}
	took := time.Since(over)
	eventually(t, "nothing waits any more", func() bool { return c.gw2.metric(t, "ackbus_session_queue_bytes") == 0 })
	requests.Stop()
	requests.Wait()
	redis := o.redisPeak(t)
	t.Logf("%d requests in %v, at most %.0f MB in a node and %.0f MB in Redis, as before after %v: %v", o.asked, lasting, peak/(1<<20),
		redis/(1<<20), took.Round(time.Millisecond), o.ended)
	if took > calm && !o.starved(t) {
		t.Errorf("as before only after %v", took)
	}
	o.judge(t)
	most := float64(memoryLimit)
	if raced {
		most *= 3 // the race detector multiplies memory, and all that waits for a processor takes some
	}
	if peak > most || redis > redisLimit {
		t.Errorf("%.0f bytes of memory in a node, %.0f at most; %.0f in Redis, %d at most", peak, most, redis, redisLimit)
	}
}

// last asks for a time, and returns the most memory that a node had meanwhile. It does not wait for the last answers.
func (o *overload) last(t *testing.T, lasting time.Duration, requests *run.Group) (peak float64) {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for end := time.After(lasting); ; {
		select {
		case <-end:
			return peak
		case <-look.C:
			for _, n := range []*node{o.c.gw1, o.c.gw2} {
				peak = max(peak, n.metric(t, "process_resident_memory_bytes"))
			}
		case <-tick.C:
			for due := int(time.Since(began)/askEvery) * o.clients; o.asked < due; o.asked++ {
				to, volatile := fmt.Sprint("user:slow", o.asked%o.clients), o.asked/o.clients%2 == 0
				requests.Go(func() { o.ask(to, volatile) })
			}
		}
	}
}

// redisPeak is the most memory that Redis ever had.
func (o *overload) redisPeak(t *testing.T) float64 {
	t.Helper()
	text, err := o.c.redis.Client().Info(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory_peak:"); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("Redis does not say how much memory it had")
	return 0
}
