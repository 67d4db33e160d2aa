package relay

import (
	"encoding/binary"
	"errors"
	"time"
)

const (
	// probeEvery is how often a lane publishes to itself.
	probeEvery = time.Second
	// leaseTime is how old the last probe that came back may be. What is read later may be older than the cluster waits for.
	leaseTime = 2500 * time.Millisecond
	// leaseTick is how exactly the lease is watched when nothing is read, and patience while a pipeline takes long.
	leaseTick = 20 * time.Millisecond
)

var errSilent = errors.New("relay: no probe came back in time")

// stale reports whether the lane's lease has run out: what arrives now may have waited for any length of time.
func (s *session) stale(now int64) bool { return now-s.lease.Load() > int64(leaseTime) }

// tick keeps the lease: it sends probes, and ends a connection from which none came back, read or not. It also gives up
// what has lingered long enough.
func (l *lane) tick(now int64) {
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	if l.table.giveUpLocked(now) {
		l.wakeLocked()
	}
	s := l.session
	switch {
	case s == nil:
	case s.stale(now):
		s.end(errSilent)
		// The outbox may be the one that talks to a Redis which nobody listens to any more.
		l.relay.outbox.suspect(errSilent)
	case s.probing && now-s.lastProbe >= int64(probeEvery):
		s.postProbeLocked(now)
	}
}

// postProbeLocked hands a probe to the outbox, ahead of all packets. One is under way at a time.
func (s *session) postProbeLocked(now int64) {
	if s.probe != nil {
		return
	}
	s.lastProbe = now
	payload := binary.BigEndian.AppendUint64(nil, s.id)
	payload = binary.BigEndian.AppendUint64(payload, uint64(now))
	e := &errand{args: []string{"PUBLISH", s.lane.probe.channel.Name, string(payload)}}
	e.done = func(reply, error) {
		s.lane.table.mu.Lock()
		defer s.lane.table.mu.Unlock()
		s.probe = nil
	}
	s.probe = e
	s.lane.relay.outbox.post(e)
}

// probeCame takes a probe that has gone through Redis and back.
func (s *session) probeCame(payload []byte, now int64) {
	if len(payload) != 16 || binary.BigEndian.Uint64(payload[:8]) != s.id {
		return // of an earlier session
	}
	sent := int64(binary.BigEndian.Uint64(payload[8:]))
	s.lease.Store(sent)
	s.probed.Store(true)
	s.lane.relay.meters.probe.Observe(float64(now-sent) / 1e9)
}
