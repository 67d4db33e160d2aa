package gateway

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// A budget is how many bytes all sessions together may hold for their clients.
type budget struct {
	limit    int64
	used     atomic.Int64
	exceeded chan struct{} // has room for one signal: the limit was passed
}

func newBudget(limit int) *budget {
	return &budget{limit: int64(limit), exceeded: make(chan struct{}, 1)}
}

func (b *budget) take(n int) {
	if b.used.Add(int64(n)) <= b.limit {
		return
	}
	select {
	case b.exceeded <- struct{}{}:
	default:
	}
}

// admit is take for what may be refused: it takes nothing where too much was taken already.
func (b *budget) admit(n int) bool {
	if b.spent() {
		return false
	}
	b.take(n)
	return true
}

func (b *budget) give(n int) { b.used.Add(-int64(n)) }

// over reports whether nothing should be taken that can be refused.
func (b *budget) over() bool { return b.used.Load() > b.limit }

// spent reports whether nothing must be taken any more, because closing the fullest has not helped yet.
func (b *budget) spent() bool { return b.used.Load() > b.limit+b.limit/8 }

// shedQueues closes the sessions with the fullest queues as too slow, until a good part of the budget is free again.
func (g *Gateway) shedQueues() {
	g.shed(g.budget, func(s *session) int { return s.queue.bytes }, func(s *session) { s.shut(endTooSlow) })
}

// shedInboxes closes the sessions that have sent the most of a frame without its end. What they hold is free once their readers are
// gone, CloseTimeout at the latest.
func (g *Gateway) shedInboxes() {
	g.shed(g.arriving, func(s *session) int { return int(s.inbox.held.Load()) }, (*session).crowded)
}

// shed ends the sessions that hold the most of the budget. held is called under the session's lock; what sessions hold that are
// closing already is as good as free.
func (g *Gateway) shed(b *budget, held func(*session) int, end func(*session)) {
	over := int(b.used.Load() - (b.limit - b.limit/8))
	if !b.over() {
		return
	}
	type load struct {
		s     *session
		bytes int
	}
	var loads []load
	for _, s := range g.hub.all() {
		s.mu.Lock()
		bytes, open := held(s), s.phase < closing
		s.mu.Unlock()
		switch {
		case bytes == 0:
		case open:
			loads = append(loads, load{s, bytes})
		default:
			over -= bytes
		}
	}
	slices.SortFunc(loads, func(a, b load) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, l := range loads {
		if over <= 0 {
			break
		}
		end(l.s)
		over -= l.bytes
	}
}

// maxAddresses bounds the memory of handshakes. When it is full, all are forgotten at once.
const maxAddresses = 100_000

// handshakes limits how often one remote address may connect. IPv6 addresses count by their /64 network.
type handshakes struct {
	rate  rate.Limit
	burst int

	mu        sync.Mutex
	of        map[netip.Prefix]*rate.Limiter
	forgotten time.Time
}

// allow reports whether the remote address, with its port, may connect now.
func (h *handshakes) allow(remote string, now time.Time) bool {
	if h.rate <= 0 {
		return true
	}
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return true // not an address of a network
	}
	bits := 32
	ip := addr.Addr().Unmap()
	if ip.Is6() {
		bits = 64
	}
	from, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil || len(h.of) >= maxAddresses {
		h.of = make(map[netip.Prefix]*rate.Limiter)
	}
	l := h.of[from]
	if l == nil {
		l = rate.NewLimiter(h.rate, h.burst)
		h.of[from] = l
	}
	return l.AllowN(now, 1)
}

// forget drops, once a minute, the addresses that have their whole burst again.
func (h *handshakes) forget(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.forgotten) < time.Minute {
		return
	}
	h.forgotten = now
	for from, l := range h.of {
		if l.TokensAt(now) >= float64(h.burst) {
			delete(h.of, from)
		}
	}
}
