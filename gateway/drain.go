package gateway

import (
	"context"
	"fmt"
)

// Drain lets the clients go: the node shows as draining, new sockets are refused, each client is told to reconnect elsewhere,
// and its socket is closed once nothing is in flight on it. Messages are delivered as before until then. When ctx ends, the
// sockets that are left are closed regardless, and the error says how many. The gateway is closed afterwards.
func (g *Gateway) Drain(ctx context.Context) error {
	g.draining.Store(true)
	g.admission.close()
	if g.announce != nil {
		g.announce()
	}
	for _, s := range g.hub.all() {
		s.askToLeave()
	}
	err := g.hub.wait(ctx)
	if err != nil {
		err = fmt.Errorf("gateway: drain: %d sockets left: %w", len(g.hub.all()), err)
	}
	g.shutAll(endDrained)
	if closeErr := g.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Close closes every socket at once (1001), abandons what is in flight, and returns when nothing of the gateway is left. It is
// idempotent.
func (g *Gateway) Close() error {
	g.draining.Store(true)
	g.admission.close()
	g.shutAll(endClosed)
	ctx, cancel := context.WithTimeout(context.Background(), 2*g.opts.CloseTimeout)
	defer cancel()
	_ = g.hub.wait(ctx) // who is left then is stuck outside, and ends with the group's context
	g.group.Stop()
	g.closeOnce.Do(func() {
		if g.directory != nil {
			g.directory.Close()
		}
		g.metrics.unregister()
	})
	g.group.Wait()
	return nil
}

func (g *Gateway) shutAll(e ending) {
	for _, s := range g.hub.all() {
		s.shut(e)
	}
}

// leaving reports whether clients are to go: the gateway drains, or Redis is out of reach.
func (g *Gateway) leaving() bool { return g.draining.Load() || g.away.Load() }

// refusal says why no new socket is taken now; empty: they are.
func (g *Gateway) refusal() string {
	switch {
	case g.draining.Load():
		return "the node is going away"
	case g.away.Load():
		return "the node can't reach Redis"
	}
	return ""
}

// askToLeave tells the client once to reconnect elsewhere.
func (s *session) askToLeave() {
	s.mu.Lock()
	phase, told := s.phase, s.leaving
	s.leaving = true
	s.mu.Unlock()
	switch {
	case phase == greeting:
		s.shut(endClosed)
	case phase == open && !told:
		s.say(s.sealDrain())
	}
	s.leaveIfIdle()
}

// leaveIfIdle closes a session that was told to leave, once nothing is in flight on it.
func (s *session) leaveIfIdle() {
	if s.heardOut.Load() {
		s.tellAnswered()
	}
	if !s.gw.leaving() {
		return
	}
	s.mu.Lock()
	idle := s.leaving && s.phase == open && s.queue.count == 0 && len(s.awaiting) == 0 && s.ops.count == 0
	s.mu.Unlock()
	if idle {
		s.shut(endDrained)
	}
}
