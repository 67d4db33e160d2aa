package gateway

import (
	"time"

	"github.com/ackbus/ackbus/bus"
)

// Bounds of the time between two sweeps.
const (
	minSweep = 10 * time.Millisecond
	maxSweep = 500 * time.Millisecond
)

// sweepEvery is fine enough for the shortest time that a sweep watches over.
func (o *Options) sweepEvery() time.Duration {
	return max(min(o.HelloTimeout/10, o.PingInterval/10, o.RedisPatience/6, o.FrameTimeout/10, maxSweep), minSweep)
}

// watch is the gateway's one goroutine: it does for all sessions what would otherwise take a timer each.
func (g *Gateway) watch() {
	ticker := time.NewTicker(g.opts.sweepEvery())
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			g.sweep()
		case <-g.budget.exceeded:
			g.shedQueues()
		case <-g.arriving.exceeded:
			g.shedInboxes()
		case <-g.group.Context().Done():
			return
		}
	}
}

func (g *Gateway) sweep() {
	now := int64(time.Since(g.epoch))
	g.tick.Store(now)
	g.away.Store(g.unreachable() >= g.opts.RedisPatience)
	g.handshakes.forget(time.Now())
	leaving := g.leaving()
	var some [256]*session
	for at := 0; ; at += len(some) {
		n := g.hub.some(some[:], at)
		for _, s := range some[:n] {
			s.sweep(now, leaving)
		}
		if n < len(some) {
			return
		}
	}
}

// sweep looks after one session. Only the gateway's watch calls it.
func (s *session) sweep(now int64, leaving bool) {
	if leaving {
		s.askToLeave()
	}
	s.mu.Lock()
	if !leaving {
		s.leaving = false
	}
	phase, late := s.phase, s.phase == greeting && !s.asked && time.Since(s.since) >= s.gw.opts.HelloTimeout
	s.mu.Unlock()
	since := s.inbox.since.Load()
	switch {
	case late:
		s.shut(endNoHello)
	case since != 0 && now-since >= int64(s.gw.opts.FrameTimeout):
		s.shut(endUnfinished)
	case phase == open && now-s.pinged >= int64(s.gw.opts.PingInterval):
		s.beat(now)
	}
}

// beat is due once an interval: it gives memory back that an idle session needs not, and pings where the carrier has a
// ping that is answered by itself.
func (s *session) beat(now int64) {
	s.mu.Lock()
	s.queue.trim()
	if len(s.awaiting) == 0 {
		s.awaiting = nil // a map keeps the size that it once had
	}
	s.mu.Unlock()
	silent := s.heard.Load() < s.pinged
	s.pinged = now
	if s.kind != bus.CarrierWebSocket {
		return
	}
	if !silent {
		s.missed = 0
	} else if s.missed++; s.missed >= 2 {
		s.shut(endSilent)
		return
	}
	s.sayFrame(controlFrame(opPing, nil))
}

// pingMillis is the interval that welcome names; 0: no heartbeats.
func (g *Gateway) pingMillis() int64 {
	if g.opts.PingInterval == off {
		return 0
	}
	return g.opts.PingInterval.Milliseconds()
}
