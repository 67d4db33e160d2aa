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
	askedBytes  = 32 << 10              // of a message: enough of them fill what the kernel holds
	askedWithin = time.Second           // the time of a request
)

// redisLimit is what Redis may take meanwhile: there is room for what nodes may have on their way, and for its output buffers.
const redisLimit = 100 << 20

// A form is how long an overload lasts, and how exactly things are looked at: the short form runs beside other tests, with the race
// detector, the long one has the machine for itself.
type form struct {
	long    bool
	lasting time.Duration
	calm    time.Duration // within which all is as before
	prompt  time.Duration // within which a request is answered then
	late    time.Duration // that an outcome may come after the deadline, besides what the watch saw
	in      time.Duration // within which all is as before, or the test ends
}

func formOf(t *testing.T) form {
	t.Helper()
	text := os.Getenv(overloadEnv)
	if text == "" {
		return form{lasting: 4 * time.Second, calm: 8 * time.Second, prompt: time.Second, late: 2 * time.Second, in: time.Minute}
	}
	lasting, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return form{long: true, lasting: lasting, calm: 2 * time.Second, prompt: 300 * time.Millisecond, late: 50 * time.Millisecond,
		in: patience}
}

// Clients that get twice what they can take: volatile messages are dropped, which is told, with how many were waiting; each of the others
// ends with what became of it, and the clients saw the same; memory is bounded; and soon after all is as before.
func TestOverload(t *testing.T) {
	f, clients := formOf(t), 1
	if f.long {
		clients = 3
	}
	o := newOverload(t, f, newCluster(t), clients, askedBytes, clientPace/2/time.Duration(clients), clientPace)
	o.happen(t)
	if o.told == 0 && !o.starved(t) {
		t.Error("no volatile message was told to be dropped, with how many were waiting")
	}
	if unknown := o.unknown(); unknown > o.asked*2/3 { // no machine is so busy
		t.Errorf("%d requests of %d are unknown", unknown, o.asked)
	}
}

// newOverload connects clients to the second node, each of which needs a while for a message.
func newOverload(t *testing.T, f form, c *cluster, clients, size int, every, pace time.Duration) *overload {
	t.Helper()
	o := &overload{form: f, c: c, data: strings.Repeat("x", size), every: every, ended: make(map[string]int), seen: make(map[string]int)}
	r := newRoamers(t, c.gw2)
	r.pace, r.tight, r.react = pace, pace > 0, o.see
	for i := range clients {
		o.users = append(o.users, fmt.Sprint("slow", i))
		r.join(o.users[i], carriers[i%len(carriers)])
	}
	eventually(t, "all are there", func() bool { return r.here.Load() == int64(clients) })
	o.watch = newWatch(t, c)
	return o
}

// happen has the overload, sees how it ends, and judges what was told. It does not wait for the last answers before it looks whether all
// is as before.
func (o *overload) happen(t *testing.T) {
	t.Helper()
	requests := run.New(t.Context())
	peak := o.last(t, requests)
	over := time.Now()
	for _, user := range o.users {
		within(t, o.in, "it is as before", func() bool {
			a := o.c.gw1.ask("user:"+user, object{"volatile": true, "timeout_ms": o.prompt.Milliseconds()})
			return a.Outcome == "confirmed"
		})
	}
	took := time.Since(over)
	within(t, o.in, "nothing waits any more", o.nothingWaits(t))
	requests.Stop()
	requests.Wait()
	o.watch.stop()
	redis := o.redisPeak(t)
	t.Logf("%d requests in %v, %d handled, at most %.0f MB in a node and %.0f MB in Redis, the last %v late, calm after %v: %v", o.asked,
		o.lasting, len(o.seen), peak/(1<<20), redis/(1<<20), o.latest().Round(time.Millisecond), took.Round(time.Millisecond), o.ended)
	if took > o.calm && !o.starved(t) {
		t.Errorf("as before only after %v", took)
	}
	o.judge(t)
	if due := int(o.lasting / o.every); o.long && o.asked < due*9/10 {
		t.Errorf("%d requests were made, not %d: there was not twice as much to do as could be done", o.asked, due)
	}
	most := float64(memoryLimit)
	if raced {
		most *= 3 // the race detector multiplies memory, and all that waits for a processor takes some
	}
	if peak > most || redis > redisLimit {
		t.Errorf("%.0f bytes of memory in a node, %.0f at most; %.0f in Redis, %d at most", peak, most, redis, redisLimit)
	}
}

// last asks for a time, and returns the most memory that a node had meanwhile.
func (o *overload) last(t *testing.T, requests *run.Group) (peak float64) {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for end := time.After(o.lasting); ; {
		select {
		case <-end:
			return peak
		case <-look.C:
			for _, n := range []*node{o.c.gw1, o.c.gw2} {
				peak = max(peak, n.metric(t, "process_resident_memory_bytes"))
			}
		case <-tick.C:
			for due := int(time.Since(began) / o.every); o.asked < due; o.asked++ {
				number, user := o.asked, o.users[o.asked%len(o.users)]
				requests.Go(func() { o.ask(number, "user:"+user, number/len(o.users)%2 == 0) })
			}
		}
	}
}

// queues are the metrics of what waits in a node.
func queues() []string {
	return []string{"ackbus_requests_pending", "ackbus_deliveries_awaited", "ackbus_session_queue_bytes", "ackbus_outbox_bytes"}
}

// nothingWaits reports whether all queues of both nodes are empty.
func (o *overload) nothingWaits(t *testing.T) func() bool {
	t.Helper()
	return func() bool {
		for _, n := range []*node{o.c.gw1, o.c.gw2} {
			for _, of := range queues() {
				if n.metric(t, of) > 0 {
					return false
				}
			}
		}
		return true
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
