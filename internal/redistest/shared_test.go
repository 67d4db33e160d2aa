package redistest_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

// recorder stands in for a test whose reported errors are wanted, not its failure.
type recorder struct {
	testing.TB
	failures []error
}

func (r *recorder) Error(args ...any) {
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			r.failures = append(r.failures, err)
		}
	}
}

func TestSharedIsOneAndOutlivesItsTests(t *testing.T) {
	leak.Check(t)
	var pid int
	t.Run("first", func(t *testing.T) { pid = redistest.Shared(t).PID() })
	s := redistest.Shared(t)
	if s.PID() != pid {
		t.Errorf("process %d for one test, %d for the next", pid, s.PID())
	}
	if err := s.Client().Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestSharedClientsEndWithTheTest(t *testing.T) {
	leak.Check(t)
	var closed interface{ Close() error }
	t.Run("owner", func(t *testing.T) {
		c := redistest.Shared(t).Client()
		if err := c.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		closed = c
	})
	if err := closed.Close(); err == nil {
		t.Error("the client was still open after its test")
	}
}

func TestSharedRefusesWhatDisturbsOthers(t *testing.T) {
	r := &recorder{TB: t}
	s := redistest.Shared(r)
	for name, call := range map[string]func() error{
		"Kill": s.Kill, "Restart": s.Restart, "Pause": s.Pause, "Resume": s.Resume, "Stop": s.Stop,
	} {
		r.failures = nil
		if err := call(); !errors.Is(err, redistest.ErrShared) {
			t.Errorf("%s: %v, want ErrShared", name, err)
		}
		if len(r.failures) != 1 || !errors.Is(r.failures[0], redistest.ErrShared) {
			t.Errorf("%s reported %v to its test, want ErrShared", name, r.failures)
		}
	}
	if err := s.Client().Ping(t.Context()).Err(); err != nil {
		t.Errorf("the server was disturbed: %v", err)
	}
}

func TestPrefix(t *testing.T) {
	plain := regexp.MustCompile(`^[A-Za-z0-9_-]+:$`)
	mine := redistest.Prefix(t)
	if again := redistest.Prefix(t); again != mine {
		t.Errorf("asked twice: %q and %q", mine, again)
	}
	seen := map[string]bool{mine: true}
	for range 3 {
		t.Run("with [odd] * names? "+strings.Repeat("long", 50), func(t *testing.T) {
			p := redistest.Prefix(t)
			if !plain.MatchString(p) || len(p) > 64 {
				t.Errorf("prefix %q: want plain characters, a colon, 64 bytes at most", p)
			}
			if seen[p] {
				t.Errorf("prefix %q twice", p)
			}
			seen[p] = true
		})
	}
}
