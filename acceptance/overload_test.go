package acceptance

import (
	"fmt"
	"os"
	"strings"
	"sync"
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

// Clients that get twice what they can take: volatile messages are dropped, which is told, with how many were waiting; of the others each
// ends with what became of it; the node's memory is bounded; and soon after all is as before.
func TestOverload(t *testing.T) {
	lasting, slowClients := 4*time.Second, 1
	if text := os.Getenv(overloadEnv); text != "" {
		slowClients = 3
		var err error
		if lasting, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	c := newCluster(t)
	slow := newRoamers(t, c.gw2)
	slow.pace, slow.tight = clientPace, true
	for i := range slowClients {
		slow.join(fmt.Sprint("slow", i), carriers[i%3])
	}
	eventually(t, "all are there", func() bool { return slow.here.Load() == int64(slowClients) })
	o := &overload{c: c, clients: slowClients, ended: make(map[string]int)}
	peak := o.last(t, lasting)
	over := time.Now()
	for i := range slowClients {
		eventually(t, "it is as before", func() bool {
			return c.gw1.ask(fmt.Sprint("user:slow", i), object{"volatile": true, "timeout_ms": 1000}).Outcome == "confirmed"
		})
	}
	took := time.Since(over)
	t.Logf("%d requests in %v, at most %.0f MB of memory, as before after %v: %v", o.asked, lasting, peak/(1<<20),
		took.Round(time.Millisecond), o.ended)
	limit := 2 * time.Second
	if os.Getenv(overloadEnv) == "" { // other tests run beside this one, with the race detector
		limit = 5 * time.Second
	}
	if took > limit {
		t.Errorf("as before only after %v", took)
	}
	o.judge(t)
	most := float64(memoryLimit)
	if raced {
		most *= 3 // the race detector multiplies memory, and all that waits for a processor takes some
	}
	if peak > most {
		t.Errorf("%.0f bytes of memory, %.0f at most", peak, most)
	}
}

// An overload is what is asked of the slow clients, and what came of it.
type overload struct {
	c       *cluster
	clients int
	asked   int

	mu    sync.Mutex // guards all below
	ended map[string]int
	wrong []string // answers that there must not be
	told  int      // volatile messages that were dropped, with how many were waiting
}

// last asks for a time, and returns the most memory that a node had meanwhile, once all that was asked has its answer.
func (o *overload) last(t *testing.T, lasting time.Duration) (peak float64) {
	t.Helper()
	group := run.New(t.Context())
	began := time.Now()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for end := time.After(lasting); ; {
		select {
		case <-end:
			group.Stop()
			group.Wait()
			return peak
		case <-look.C:
			for _, n := range []*node{o.c.gw1, o.c.gw2} {
				peak = max(peak, n.metric(t, "process_resident_memory_bytes"))
			}
		case <-tick.C:
			for due := int(time.Since(began)/askEvery) * o.clients; o.asked < due; o.asked++ {
				to, volatile := fmt.Sprint("user:slow", o.asked%o.clients), o.asked/o.clients%2 == 0
				group.Go(func() { o.ask(to, volatile) })
			}
		}
	}
}

func (o *overload) ask(to string, volatile bool) {
	a := o.c.gw1.ask(to, object{"data": strings.Repeat("x", askedBytes), "volatile": volatile, "timeout_ms": askedWithin.Milliseconds()})
	o.mu.Lock()
	defer o.mu.Unlock()
	outcome := a.Outcome
	if outcome == "" {
		outcome = "(" + a.Error.Code + ")"
	}
	if volatile {
		outcome = "volatile " + outcome
	}
	o.ended[outcome]++
	switch strings.TrimPrefix(outcome, "volatile ") {
	case "confirmed", "unconfirmed", "expired", "closed", "no_receiver", "unknown", "(overloaded)", "(unavailable)":
	case "dropped":
		if volatile && len(a.Deliveries) == 1 && strings.Contains(a.Deliveries[0].Error.Message, "were waiting") {
			o.told++
		}
	default:
		o.wrong = append(o.wrong, a.String())
	}
}

func (o *overload) judge(t *testing.T) {
	t.Helper()
	if len(o.wrong) > 0 {
		t.Errorf("%d answers like %s", len(o.wrong), o.wrong[0])
	}
	// Where the machine has no time for the nodes, requests end before they have been claimed, and the clients' queues never fill.
	starved := o.ended["unknown"]+o.ended["volatile unknown"] > o.asked/20
	if starved && os.Getenv(overloadEnv) == "" {
		t.Log("the machine was too busy for the clients to be what there is too little of")
	} else if o.told == 0 {
		t.Error("no volatile message was told to be dropped, with how many were waiting")
	}
	if o.ended["confirmed"]+o.ended["volatile confirmed"] == 0 {
		t.Error("nothing was confirmed")
	}
}
