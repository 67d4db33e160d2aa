package relay

import (
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// The times of a lease.
const (
	LeaseTime = leaseTime
	LeaseTick = leaseTick
)

// A LeasedLane is a lane with nothing but its lease: neither a connection nor subscriptions.
type LeasedLane struct{ lane *lane }

// NewLeasedLane is one by the clock.
func NewLeasedLane(now func() int64) (*LeasedLane, error) {
	m, err := newMeters(prometheus.NewRegistry())
	if err != nil {
		return nil, err
	}
	l := newLane(&Redis{now: now, meters: m, outbox: &outbox{now: now}}, 0)
	l.attach(Self{ID: "n"})
	return &LeasedLane{l}, nil
}

// Open gives the lane a new connection, on which it may probe.
func (l *LeasedLane) Open() {
	conn, _ := net.Pipe()
	s := &session{lane: l.lane, id: l.lane.relay.sessions.Add(1), probing: true,
		link: &link{client: redis.NewClient(&redis.Options{}), wire: newWire(conn, conn)}}
	s.lease.Store(l.lane.relay.now())
	l.lane.session = s
}

// Tick keeps the lease, as the relay does every LeaseTick.
func (l *LeasedLane) Tick() { l.lane.tick(l.lane.relay.now()) }

// A LeaseProbe is a probe to be published; Done is to be called when Redis has answered.
type LeaseProbe struct {
	Payload []byte
	Done    func()
}

// Probes takes those that are to be published.
func (l *LeasedLane) Probes() (all []LeaseProbe) {
	o := l.lane.relay.outbox
	for _, e := range o.errands {
		all = append(all, LeaseProbe{[]byte(e.args[len(e.args)-1]), func() { e.done(reply{}, nil) }})
	}
	o.errands = nil
	return all
}

// Read reports whether what was read from the connection may be handed over. It may be a probe.
func (l *LeasedLane) Read(probe []byte) bool {
	s, now := l.lane.session, l.lane.relay.now()
	if s.stale(now) {
		s.end(errSilent)
		return false
	}
	if probe != nil {
		s.probeCame(probe, now)
	}
	return true
}

// Fell reports whether the connection was given up, and lets go of it.
func (l *LeasedLane) Fell() bool {
	s := l.lane.session
	if s == nil || s.ended.Load() == nil {
		return false
	}
	l.Reset()
	return true
}

// Reset ends the connection.
func (l *LeasedLane) Reset() {
	if s := l.lane.session; s != nil {
		s.end(errDialedOnce)
		l.lane.session = nil
	}
}
