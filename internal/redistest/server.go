package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startTimeout bounds the start of a server: generous, because test machines are busy.
const startTimeout = 20 * time.Second

// ErrShared is the answer of a shared server to what would disturb the other tests of its binary.
var ErrShared = errors.New("redistest: the server is shared by all tests of the package; use Start for one of your own")

// errStopped is the answer to what needs a server after Stop.
var errStopped = errors.New("redistest: the server was stopped for good")

// A Server is one redis-server process on a port of its own. Its methods may be called from many goroutines.
//
// The methods that return an error also report it to the test where the server came from Start or Shared, so tests need
// not look at it.
type Server struct {
	tb     testing.TB // nil for a server from Run
	binary string
	args   []string // as given by the caller
	dir    string
	port   int
	shared bool

	mu      sync.Mutex
	proc    *process // nil while killed or stopped
	stopped bool
	clients []*redis.Client
}

// Start returns a running server that ends with the test. The args go to redis-server after the defaults
// (loopback, free port, no snapshots, no append-only file) and override them; the port is not theirs to choose.
// It fails the test, and says how to install one, when there is no redis-server.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	s, err := Run(ctx, args...)
	if err != nil {
		tb.Fatal(err)
	}
	s.tb = tb
	tb.Cleanup(func() { _ = s.Stop() })
	return s
}

// Run returns a running server for use outside tests. The context bounds the start, not the life: the caller ends it with
// Stop. The args are those of Start.
func Run(ctx context.Context, args ...string) (*Server, error) {
	binary, err := findBinary()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		return nil, fmt.Errorf("redistest: %w", err)
	}
	s := &Server{binary: binary, args: slices.Clone(args), dir: dir}
	if err := s.startAnywhere(ctx); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// startAnywhere tries ports until one is not taken away between the choice and the bind.
func (s *Server) startAnywhere(ctx context.Context) error {
	const tries = 5
	var err error
	for range tries {
		if s.port, err = freePort(ctx); err != nil {
			return err
		}
		if s.proc, err = startProcess(ctx, s.spec()); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

func (s *Server) spec() spec {
	args := []string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no",
	}
	return spec{binary: s.binary, args: append(args, s.args...), dir: s.dir, addr: s.Addr()}
}

// Addr returns host:port. It stays the same through Kill and Restart.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// URL returns the redis:// URL of database 0.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// PID returns the process ID of the server, or 0 while it is killed.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return 0
	}
	return s.proc.pid()
}

// Client returns a new client for looking at the server from a test. It speaks RESP2, never retries, and is closed with the
// server, or for a shared server with the test; closing it earlier is fine.
func (s *Server) Client() *redis.Client {
	c := newClient(s.Addr())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = append(s.clients, c)
	return c
}

// Kill ends the server with SIGKILL and returns once the process is gone. Killing a killed server is fine.
func (s *Server) Kill() error {
	s.mu.Lock()
	err := s.killLocked()
	s.mu.Unlock()
	return s.report("kill", err)
}

func (s *Server) killLocked() error {
	if s.shared {
		return ErrShared
	}
	if s.proc == nil {
		return nil
	}
	err := s.proc.kill()
	s.proc = nil
	return err
}

// Restart starts the server again on the same port, with the same arguments and directory, and returns once it
// answers. A server that still runs is killed first.
func (s *Server) Restart() error {
	s.mu.Lock()
	err := s.restartLocked()
	s.mu.Unlock()
	return s.report("restart", err)
}

func (s *Server) restartLocked() error {
	if s.stopped {
		return errStopped
	}
	if err := s.killLocked(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		proc, err := startProcess(ctx, s.spec())
		if err == nil {
			s.proc = proc
			return nil
		}
		// Somebody may hold the port for a moment; the start itself took long enough to serve as the pause.
		if !errors.Is(err, errPortTaken) || ctx.Err() != nil {
			return err
		}
	}
}

// Pause stops the process with SIGSTOP and returns once it stands still: connections stay open, nothing is answered.
func (s *Server) Pause() error {
	return s.report("pause", s.withProcess((*process).pause))
}

// Resume lets a paused process go on.
func (s *Server) Resume() error {
	return s.report("resume", s.withProcess((*process).resume))
}

func (s *Server) withProcess(fn func(*process) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared {
		return ErrShared
	}
	if s.proc == nil {
		return errors.New("redistest: the server is not running")
	}
	return fn(s.proc)
}

// Stop ends the server for good, closes its clients and removes its directory. It is idempotent. Tests need not call it.
func (s *Server) Stop() error {
	s.mu.Lock()
	err := s.stopLocked()
	s.mu.Unlock()
	return s.report("stop", err)
}

func (s *Server) stopLocked() error {
	if s.stopped {
		return nil
	}
	err := s.killLocked()
	if errors.Is(err, ErrShared) {
		return err
	}
	s.stopped = true
	s.closeClientsLocked()
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *Server) closeClientsLocked() {
	for _, c := range s.clients {
		_ = c.Close() // already closed by the test: fine
	}
	s.clients = nil
}

// report hands the error to the test as well; Errorf, unlike Fatalf, may be called from any goroutine.
func (s *Server) report(what string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("redistest: %s %s: %w", what, s.Addr(), err)
	if s.tb != nil {
		s.tb.Helper()
		s.tb.Error(err)
	}
	return err
}
