package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
)

// A carrier turns a connection into frames and back.
type carrier interface {
	// next blocks for the next frame of the client, of limit bytes at most, which is valid until the next call. errNotText leaves
	// the carrier usable. After errTooLarge and errCrowded it gives no more frames, but must be read on; any other error is the end.
	next(limit int) ([]byte, error)
	// frame is the part of a sealed object that goes onto this carrier's wire.
	frame(sealed []byte) []byte
	// farewell is what is written last, before the connection is closed.
	farewell(e ending) []byte
	// codeOf is the close code that stands for the error which ended the reading.
	codeOf(err error) int
}

// attachment is what a session needs of a *bus.Attachment.
type attachment interface {
	Join(ctx context.Context, to bus.Address) error
	Leave(to bus.Address)
	Detach()
}

// A phase is where a session stands in its life.
type phase uint8

const (
	greeting phase = iota // no welcome yet: what comes from the bus is kept back
	open
	closing // the last frame is queued; acknowledgements still count
	closed
)

// A session is one client's connection. Its reader owns it: the session is over when the reader returns.
type session struct {
	gw      *Gateway
	conn    net.Conn
	carrier carrier
	format  bus.Format
	kind    string // bus.CarrierWebSocket or bus.CarrierTCP
	socket  string
	since   time.Time
	limiter *rate.Limiter // nil: no limit

	// Set by the reader before the session is open.
	who  Identity
	line attachment

	inbox    inbox        // the reader's own
	heard    atomic.Int64 // the gateway's tick when something was last read
	pinged   int64        // the tick of the last ping; the sweep's own
	missed   int          // pings in a row without a sign of life; the sweep's own
	heardOut atomic.Bool  // the client has ended its side, and what it asked is being answered
	place    int          // index in the hub, guarded by the hub; -1: not in it
	badAt    []time.Time  // when the latest bad frames came; the reader's own
	greeted  bool         // hello came; the reader's own

	mu         sync.Mutex
	phase      phase
	asked      bool          // hello came: what takes its time now is not the client
	writing    bool          // a writer runs
	broken     bool          // nothing more can be written
	leaving    bool          // told to leave: close as soon as nothing is in flight
	writerGone chan struct{} // closed when the writer ends, if somebody waits for it
	answered   chan struct{} // closed when all that was asked is answered, if somebody waits for it
	ending     ending
	queue      queue
	early      []item // messages that came before welcome; counted in queue
	awaiting   map[uuid.UUID]*awaited
	groups     []string
	ops        operations
}

func (g *Gateway) newSession(conn net.Conn, kind string, format bus.Format) *session {
	keepUnsent(conn)
	s := &session{gw: g, conn: conn, kind: kind, format: format, since: time.Now(), place: -1,
		inbox: inbox{budget: g.arriving, desks: g.desks}}
	s.heard.Store(g.tick.Load())
	s.pinged = g.tick.Load()
	if g.opts.Rate > 0 {
		s.limiter = rate.NewLimiter(rate.Limit(g.opts.Rate), g.opts.Burst)
	}
	g.metrics.connected(kind)
	return s
}

// run is the reader. With credentials the client is welcomed at once, otherwise it must say hello first.
func (s *session) run(c *Credentials) {
	if c != nil {
		s.greet(*c)
		*c = Credentials{} // a session must not hold on to the header of its request
	}
	err := s.read()
	if errors.Is(err, io.EOF) && s.kind == bus.CarrierTCP {
		s.hearOut()
	}
	s.finish(err)
}

// read takes frames until the connection ends.
func (s *session) read() error {
	for {
		p, err := s.carrier.next(s.frameLimit())
		s.heard.Store(s.gw.tick.Load())
		switch {
		case errors.Is(err, errTooLarge):
			s.fail(nil, codeTooLarge, err.Error())
			s.shut(endTooLarge)
		case errors.Is(err, errCrowded):
			s.crowded()
		case errors.Is(err, errNotText):
			s.bad(nil, err)
		case err != nil:
			return err
		default:
			s.take(p)
		}
	}
}

// frameLimit is small for who is not known yet.
func (s *session) frameLimit() int {
	if s.line == nil {
		return min(s.gw.opts.MaxFrame, maxHello)
	}
	return s.gw.opts.MaxFrame
}

// greet authenticates the client, attaches it to the bus and welcomes it.
func (s *session) greet(c Credentials) {
	s.greeted = true
	s.mu.Lock()
	s.asked = true
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.gw.group.Context(), s.gw.opts.HelloTimeout)
	defer cancel()
	who, addresses, err := s.gw.identify(ctx, c)
	if err != nil {
		s.gw.opts.Logger.Debug("client refused", "remote", c.RemoteAddr, "error", err)
		if errors.Is(err, errUnauthorized) {
			s.shut(endUnauthorized.because(publicText(err, "unauthorized")))
		} else {
			s.shut(endPolicy.because(plain.Text(err)))
		}
		return
	}
	s.who = who
	s.socket = s.gw.backbone.NewSocket()
	line, err := s.gw.backbone.Attach(ctx, s, bus.Profile{Socket: s.socket, User: who.User, Carrier: s.kind}, addresses...)
	if err != nil {
		s.gw.opts.Logger.Warn("client can't be attached to the bus", "error", err)
		s.shut(endUnreachable)
		return
	}
	s.line = line
	s.welcome()
}

// welcome opens the session: first the welcome, then what came for it in between.
func (s *session) welcome() {
	frame := s.carrier.frame(s.sealWelcome())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != greeting {
		return
	}
	s.phase = open
	s.groups = slices.Clone(s.who.Groups)
	s.pushLocked(item{frame: frame})
	s.queue.items = append(s.queue.items, s.early...)
	s.early = nil
	s.writeLocked()
}

// finish ends the session: whatever is open is settled as closed, and nothing of it stays anywhere.
func (s *session) finish(err error) {
	s.shut(endLost) // no effect on one that was shut already
	if err := s.conn.Close(); err != nil {
		s.gw.opts.Logger.Debug("closing a connection", "error", err)
	}
	s.inbox.clear()
	s.waitWriter() // it knows best what became of what it was writing
	s.mu.Lock()
	s.phase = closed
	code := s.ending.code
	left := s.queue.cut(func(item) bool { return true })
	awaiting := s.awaiting
	s.awaiting = nil
	gone := s.ops.gone
	s.mu.Unlock()
	if gone != nil {
		gone(errGone)
	}
	if code == 0 {
		code = s.carrier.codeOf(err)
	}
	s.release(left)
	for _, w := range awaiting {
		w.ticket.Close()
	}
	if s.line != nil {
		s.line.Detach()
	}
	s.gw.metrics.disconnected(s.kind, code)
	s.gw.hub.remove(s)
}

// info is how the session shows in a listing. It reports false before welcome.
func (s *session) info() (SocketInfo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != open {
		return SocketInfo{}, false
	}
	groups := slices.Clone(s.groups)
	if groups == nil {
		groups = []string{}
	}
	return SocketInfo{Socket: s.socket, Node: s.gw.node, User: s.who.User, Groups: groups, Carrier: s.kind, Since: s.since.UTC()}, true
}
