package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/run"
)

// ServerOptions change a Server. The zero value of a field means its default; a nil *ServerOptions means all defaults.
type ServerOptions struct {
	// Concurrency is how many calls of one method run at once. Default: 64.
	Concurrency int
	// Queue is how many calls of one method may wait; more are refused as overloaded. Default: 1,024; negative: none waits.
	Queue int
	// Interceptors wrap every method, the first outermost.
	Interceptors []Interceptor
	// Logger takes what an operator should know: the stacks of panics, for one. Default: slog.Default().
	Logger *slog.Logger
}

// A Server serves methods at one node. There is one for a bus: the Start of a second one fails while the first serves. Its methods may
// be called from many goroutines.
type Server struct {
	bus   *bus.Bus
	opts  ServerOptions
	log   *slog.Logger
	group *run.Group
	watch *watch // over the callers of streams

	starting sync.Mutex // held while methods are subscribed

	mu         sync.Mutex
	methods    map[string]*method
	faults     []error // of registrations
	served     int     // methods that were announced
	version    uint64  // of their list
	describing *bus.Subscription
	closed     bool
}

// errServerClosed is what Start says after Drain or Close.
var errServerClosed = errors.New("rpc: the server is closed")

// NewServer makes a server without methods. It does nothing until Start.
func NewServer(b *bus.Bus, opts *ServerOptions) (*Server, error) {
	if b == nil {
		return nil, errors.New("rpc: new server: the bus is nil")
	}
	var o ServerOptions
	if opts != nil {
		o = *opts
	}
	if o.Concurrency < 0 {
		return nil, fmt.Errorf("rpc: ServerOptions.Concurrency is %d: want more than 0", o.Concurrency)
	}
	o.Concurrency, o.Queue = cmp.Or(o.Concurrency, 64), cmp.Or(o.Queue, 1024)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	s := &Server{bus: b, opts: o, log: o.Logger, group: run.New(context.Background()), methods: make(map[string]*method)}
	s.watch = newWatch(b, s.group)
	return s, nil
}

// register adds a method, or keeps what is wrong with it for Start.
func (s *Server) register(d description, handler Invoker, opts []MethodOption) {
	m := &method{server: s, description: d, handler: handler}
	for _, opt := range opts {
		opt.applyMethod(m)
	}
	m.concurrency, m.queue = cmp.Or(m.concurrency, s.opts.Concurrency), cmp.Or(m.queue, s.opts.Queue)
	m.invoke = intercepted(m.guarded, s.opts.Interceptors)
	m.slots = newSlots(max(m.concurrency, 1))
	err := m.description.check()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
	case handler == nil:
		err = fmt.Errorf("method %q: the handler is nil", d.Name)
	case m.concurrency < 0:
		err = fmt.Errorf("method %q: Concurrency is %d: want more than 0", d.Name, m.concurrency)
	case s.methods[d.Name] != nil:
		err = fmt.Errorf("method %q is registered twice", d.Name)
	default:
		s.methods[d.Name] = m
		return
	}
	s.faults = append(s.faults, err)
}

// Start serves the methods that were registered, and makes them known; it returns once they can be called, and the others
// learn of it in the moments after. ctx bounds the call. What was wrong with a registration is said here, and then nothing
// is started. Methods that are registered later are served from the next Start on.
func (s *Server) Start(ctx context.Context) error {
	s.starting.Lock()
	defer s.starting.Unlock()
	fresh, err := s.fresh()
	if err != nil {
		return err
	}
	if err := s.describe(ctx); err != nil {
		return err
	}
	for i, m := range fresh {
		if err := m.hold(ctx); err != nil {
			for _, held := range fresh[:i] {
				held.leave()
			}
			return fmt.Errorf("rpc: serve %q: %w", m.description.Name, err)
		}
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		for _, m := range fresh {
			m.leave()
		}
		return errServerClosed
	}
	s.served += len(fresh)
	if len(fresh) > 0 {
		s.version = newVersion()
	}
	served, version := s.served, s.version
	s.mu.Unlock()
	s.bus.Serve(served, version)
	return nil
}

// newVersion is different from any other, also from those of a server that was there before at the same bus.
func newVersion() uint64 { return rand.Uint64() | 1 }

// fresh lists the methods that are not served yet, by name.
func (s *Server) fresh() ([]*method, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errServerClosed
	}
	if len(s.faults) > 0 {
		return nil, fmt.Errorf("rpc: start: %w", errors.Join(s.faults...))
	}
	if s.served == 0 && s.bus.Node().Methods > 0 { // both would run each call
		return nil, errors.New("rpc: start: another server serves at this bus")
	}
	var fresh []*method
	for _, m := range s.methods {
		if !m.isHeld() {
			fresh = append(fresh, m)
		}
	}
	slices.SortFunc(fresh, func(a, b *method) int { return strings.Compare(a.description.Name, b.description.Name) })
	return fresh, nil
}

// Stats is what the server has counted of one of its methods; false where it has no such method.
func (s *Server) Stats(name string) (Stats, bool) {
	s.mu.Lock()
	m := s.methods[name]
	s.mu.Unlock()
	if m == nil {
		return Stats{}, false
	}
	return m.stats(), true
}

// Drain takes no new calls, and returns once those that were taken have ended. Callers go to other instances meanwhile. ctx
// bounds it: when it ends, its cause is returned, and what runs goes on until the bus is closed. Drain the bus afterwards.
func (s *Server) Drain(ctx context.Context) error {
	s.withdraw()
	ticker := time.NewTicker(drainLook)
	defer ticker.Stop()
	for last, calm := uint64(0), false; ; {
		ended, running := s.activity()
		if running == 0 && calm && ended == last {
			return s.Close()
		}
		last, calm = ended, running == 0
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), s.Close())
		}
	}
}

// drainLook is how often Drain looks whether calls run. Between two calls of a queue none does, so it looks twice.
const drainLook = 10 * time.Millisecond

// Close takes no new calls and does not wait for those that run: they are the bus's, and their contexts end with it. Streams end as
// CodeDraining. It is idempotent.
func (s *Server) Close() error {
	s.withdraw()
	s.group.Stop()
	s.group.Wait()
	return nil
}

// withdraw tells the others that nothing is served here, and leaves the addresses.
func (s *Server) withdraw() {
	s.mu.Lock()
	first, known := !s.closed, s.served > 0
	s.closed = true
	describing, methods := s.describing, make([]*method, 0, len(s.methods))
	for _, m := range s.methods {
		methods = append(methods, m)
	}
	s.mu.Unlock()
	if !first {
		return
	}
	if known {
		s.bus.Serve(0, 0)
	}
	for _, m := range methods {
		m.leave()
	}
	if describing != nil {
		describing.Close()
	}
}

// activity is how many calls have ended so far, and how many run.
func (s *Server) activity() (ended uint64, running int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.methods {
		stats := m.stats()
		ended += stats.Calls
		running += stats.InFlight
	}
	return ended, running
}
