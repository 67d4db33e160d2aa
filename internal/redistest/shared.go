package redistest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// shared is the one server of this test binary. It is never stopped: its watch ends it with the process.
//
//nolint:gochecknoglobals // one for the binary is what it is for
var shared struct {
	mu     sync.Mutex
	server *Server
}

// Shared returns the one server that all tests of a package share, and starts it for the first. Tests keep apart by
// Prefix, never flush it, and can't kill, pause or stop it (ErrShared). Its clients are closed with the test.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	base, err := sharedServer(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	view := &Server{tb: tb, binary: base.binary, dir: base.dir, port: base.port, shared: true, proc: base.proc}
	tb.Cleanup(func() {
		view.mu.Lock()
		defer view.mu.Unlock()
		view.closeClientsLocked()
	})
	return view
}

func sharedServer(ctx context.Context) (*Server, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		return shared.server, nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s, err := Run(ctx)
	if err != nil {
		return nil, err
	}
	shared.server = s
	return s, nil
}

// prefixes remembers the prefix of each running test, so that asking twice gives the same.
//
//nolint:gochecknoglobals // unique in the binary is what they are for
var prefixes struct {
	mu   sync.Mutex
	last int
	of   map[testing.TB]string
}

// Prefix returns a prefix for keys and channels that no other test of the binary has, such as "TestDrain-7:". It is the same at
// each call within a test, holds only letters, digits, '-' and '_' before its colon, and is 64 bytes long at most.
func Prefix(tb testing.TB) string {
	tb.Helper()
	prefixes.mu.Lock()
	defer prefixes.mu.Unlock()
	if p, ok := prefixes.of[tb]; ok {
		return p
	}
	if prefixes.of == nil {
		prefixes.of = make(map[testing.TB]string)
	}
	prefixes.last++
	p := fmt.Sprintf("%.40s-%d:", strings.Map(plainRune, tb.Name()), prefixes.last)
	prefixes.of[tb] = p
	tb.Cleanup(func() {
		prefixes.mu.Lock()
		defer prefixes.mu.Unlock()
		delete(prefixes.of, tb)
	})
	return p
}

// plainRune keeps what means nothing to Redis patterns and to address syntax.
func plainRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
		return r
	default:
		return '_'
	}
}
