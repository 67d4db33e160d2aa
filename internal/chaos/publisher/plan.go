package publisher

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// A plan is one call to make, or a run of them one after another.
type plan struct {
	to       string
	level    string // empty: confirmed
	require  string // empty: any
	timeout  time.Duration
	volatile bool
	publish  bool
	times    int
	padding  int  // bytes that the body has besides
	chosen   bool // all times have one ID, which the caller chooses, and the content of the first
	id       string
	first    int // number of the call that it repeats, or 0
}

// A planner draws calls. One goroutine draws; any may tell of sockets.
type planner struct {
	settings *Settings
	chance   *rand.Rand

	mu      sync.Mutex // guards sockets
	sockets []string   // that confirmed something lately
}

const rememberedSockets = 64

func (p *planner) heard(r *history.Receipt) {
	for _, d := range r.Deliveries {
		if d.Outcome != "confirmed" || d.Socket == "" {
			continue
		}
		p.mu.Lock()
		p.sockets = append(p.sockets, d.Socket)
		if len(p.sockets) > rememberedSockets {
			p.sockets = p.sockets[1:]
		}
		p.mu.Unlock()
	}
}

func (p *planner) socket() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sockets) == 0 {
		return p.user(history.Prompt)
	}
	return "socket:" + p.sockets[p.chance.IntN(len(p.sockets))]
}

func (p *planner) user(manner string) string {
	return fmt.Sprintf("user:%s-%d", manner, p.chance.IntN(max(p.settings.Clients[manner], 1)))
}

func (p *planner) group() string { return fmt.Sprint("group:g", p.chance.IntN(p.settings.Groups)) }

// draw is the next plan.
func (p *planner) draw() plan {
	d := plan{to: p.user(history.Prompt), timeout: p.between(1500*time.Millisecond, 5*time.Second), times: 1}
	switch n := p.chance.IntN(100); {
	case n < 40:
	case n < 46: // in a hurry
		d.timeout = p.between(20*time.Millisecond, 400*time.Millisecond)
	case n < 54:
		d.to, d.require = p.group(), "all"
	case n < 58:
		d.to, d.require = p.group(), "2"
	case n < 60:
		d.to = "group:mixed"
	case n < 62:
		d.to, d.require, d.timeout = "group:mixed", "all", p.between(500*time.Millisecond, 2*time.Second)
	case n < 65:
		d.to = p.socket()
	default:
		p.drawRare(&d, n)
	}
	return d
}

func (p *planner) drawRare(d *plan, n int) {
	switch {
	case n < 70:
		d.to = p.user(history.Slow)
	case n < 74:
		d.to, d.timeout = p.user(history.Weary), 10*time.Second
	case n < 77:
		d.to = p.user(history.Unkind)
	case n < 79:
		d.to, d.timeout = p.user(history.Mute), p.between(200*time.Millisecond, time.Second)
	case n < 82:
		d.to = p.user(history.Fickle)
	case n < 86:
		d.to = fmt.Sprint("user:nobody-", p.chance.IntN(1000))
	case n < 89:
		d.level = "written"
	case n < 91:
		d.level = "claimed"
	case n < 94:
		d.volatile = true
	case n < 95:
		d.padding = 1<<10 + p.chance.IntN(100<<10)
	case n < 97 && p.settings.Chosen:
		d.chosen, d.times = true, 2+p.chance.IntN(2)
	default: // a stream that is only published, in whose order much can be seen
		d.publish, d.times, d.timeout = true, 2+p.chance.IntN(8), 5*time.Second
	}
}

func (p *planner) between(least, most time.Duration) time.Duration {
	return (least + time.Duration(p.chance.Int64N(int64(most-least)))).Truncate(time.Millisecond)
}

// body is the data of a message: the key of the call that made it first, and padding.
func (d *plan) body(key history.Key) any {
	if d.chosen && d.first > 0 {
		key.Number = d.first
	}
	return struct {
		history.Key
		Padding string `json:"padding,omitempty"`
	}{key, strings.Repeat("x", d.padding)}
}
