package redistest_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

func mustRun(t *testing.T, args ...string) *redistest.Server {
	t.Helper()
	s, err := redistest.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func config(t *testing.T, c *redis.Client, key string) string {
	t.Helper()
	m, err := c.ConfigGet(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	return m[key]
}

func TestStartAnswersAndKeepsNothing(t *testing.T) {
	leak.Check(t)
	s := redistest.Start(t)
	c := s.Client()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatalf("PING right after Start: %v", err)
	}
	if save, aof := config(t, c, "save"), config(t, c, "appendonly"); save != "" || aof != "no" {
		t.Errorf("save = %q, appendonly = %q; want nothing kept", save, aof)
	}
	if bind := config(t, c, "bind"); bind != "127.0.0.1" {
		t.Errorf("bind = %q, want loopback only", bind)
	}
	opts, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if opts.Addr != s.Addr() || strings.HasSuffix(s.Addr(), ":6379") {
		t.Errorf("URL %s against address %s", s.URL(), s.Addr())
	}
}

func TestStartEndsWithTheTest(t *testing.T) {
	leak.Check(t)
	var pid int
	var dir string
	t.Run("owner", func(t *testing.T) {
		s := redistest.Start(t)
		pid, dir = s.PID(), config(t, s.Client(), "dir")
		if !alive(pid) {
			t.Fatalf("no process %d", pid)
		}
	})
	if alive(pid) {
		t.Errorf("process %d outlived its test", pid)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory outlived its test: %v", err)
	}
}

func TestArgsOverrideDefaults(t *testing.T) {
	s := redistest.Start(t, "--maxmemory", "64mb", "--appendonly", "yes")
	c := s.Client()
	if memory, aof := config(t, c, "maxmemory"), config(t, c, "appendonly"); memory != "67108864" || aof != "yes" {
		t.Errorf("maxmemory = %q, appendonly = %q", memory, aof)
	}
}

func TestPasswordDoesNotHideReadiness(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "secret")
	if err := s.Client().Ping(t.Context()).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
		t.Fatalf("PING without the password: %v, want NOAUTH", err)
	}
}

func TestBadArgsSayWhy(t *testing.T) {
	leak.Check(t)
	s, err := redistest.Run(t.Context(), "--no-such-setting", "1")
	if err == nil {
		_ = s.Stop()
		t.Fatal("started with a setting that does not exist")
	}
	if !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("the error does not show what the server said: %v", err)
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	leak.Check(t)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	s, err := redistest.Run(ctx)
	if err == nil {
		_ = s.Stop()
		t.Fatal("started under a cancelled context")
	}
	if !errors.Is(err, cause) {
		t.Errorf("error %v, want the cause of the context in it", err)
	}
}

func TestMissingBinarySaysHowToInstall(t *testing.T) {
	t.Setenv(redistest.BinaryEnv, "no-such-redis-server")
	_, err := redistest.Run(t.Context())
	if err == nil {
		t.Fatal("started a binary that does not exist")
	}
	for _, want := range []string{"apt-get install", "brew install", redistest.BinaryEnv} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %q: %v", want, err)
		}
	}
}

func TestKillAndRestart(t *testing.T) {
	leak.Check(t)
	s := mustRun(t)
	c := s.Client()
	first := s.PID()
	for _, step := range []func() error{s.Kill, s.Kill} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if alive(first) || s.PID() != 0 {
		t.Fatalf("process %d: alive = %t after Kill, PID() = %d", first, alive(first), s.PID())
	}
	if err := c.Ping(t.Context()).Err(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("PING of a killed server: %v, want connection refused", err)
	}
	addr := s.Addr()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if s.Addr() != addr || s.PID() == first {
		t.Errorf("restarted at %s as %d, was at %s as %d", s.Addr(), s.PID(), addr, first)
	}
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatalf("PING right after Restart: %v", err)
	}
}

func TestRestartOfARunningServerKeepsWhatWasAskedFor(t *testing.T) {
	s := mustRun(t, "--appendonly", "yes", "--appendfsync", "always")
	c := s.Client()
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Client().Get(t.Context(), "k").Result(); err != nil || v != "v" {
		t.Fatalf("after Restart k = %q (%v), want what the append-only file kept", v, err)
	}
}

func TestPauseHoldsConnectionsAndAnswersNothing(t *testing.T) {
	leak.Check(t)
	s := mustRun(t)
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 2 { // a second Pause of a paused server changes nothing
		if err := s.Pause(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len("+PONG\r\n"))
	if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(answer); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a paused server said %q (%v), want nothing", answer, err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(answer); err != nil || string(answer) != "+PONG\r\n" {
		t.Fatalf("after Resume on the same connection: %q (%v)", answer, err)
	}
}

func TestStopEndsAPausedServerForGood(t *testing.T) {
	leak.Check(t)
	s := mustRun(t)
	pid := s.PID()
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if alive(pid) {
		t.Errorf("process %d survived Stop", pid)
	}
	if err := s.Restart(); err == nil {
		t.Error("a stopped server was started again")
	}
	if err := s.Pause(); err == nil {
		t.Error("Pause of a stopped server went well")
	}
}

// Many at once, as go test ./... starts them: each has its own port and answers as itself.
func TestManyAtOnce(t *testing.T) {
	for range 8 {
		t.Run("one", func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			info, err := s.Client().InfoMap(t.Context(), "server").Result()
			if err != nil {
				t.Fatal(err)
			}
			if port := info["Server"]["tcp_port"]; !strings.HasSuffix(s.Addr(), ":"+port) {
				t.Errorf("port %s answers at %s", port, s.Addr())
			}
		})
	}
}
