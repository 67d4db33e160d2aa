package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// idleEnv tells this test binary to serve a gateway on the Redis at the URL and to print its addresses.
const idleEnv = "ACKBUS_TEST_SERVE_REDIS"

// TestServeForMeasurement is not a test of its own: it is the other process of the benchmarks.
func TestServeForMeasurement(t *testing.T) {
	url := os.Getenv(idleEnv)
	if url == "" {
		t.Skip("only for the processes that the benchmarks start")
	}
	b, err := bus.Open(t.Context(), url, &bus.Options{Name: "gw-1", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(b, quiet(nil))
	if err != nil {
		t.Fatal(err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	group := run.New(t.Context())
	server := &http.Server{Handler: g, ReadHeaderTimeout: patience}
	group.Go(func() { _ = server.Serve(web) })
	group.Go(func() { check(t, g.ServeTCP(group.Context(), plain)) })
	fmt.Printf("serving %s %s\n", web.Addr(), plain.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent has what it wants
	group.Stop()
	check(t, g.Close())
	check(t, server.Close())
	group.Wait()
	check(t, b.Close())
}

// A served is a gateway in a process of its own.
type served struct {
	pid      int
	web, tcp string
}

func serveElsewhere(tb testing.TB, url string) served {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestServeForMeasurement$", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), idleEnv+"="+url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		check(tb, cmd.Wait())
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	s := served{pid: cmd.Process.Pid}
	if _, err := fmt.Sscanf(line, "serving %s %s", &s.web, &s.tcp); err != nil {
		tb.Fatalf("%q: %v", line, err)
	}
	return s
}

// resident is the resident memory of the process, in bytes.
func (s served) resident(tb testing.TB) int {
	tb.Helper()
	p, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		tb.Skip("no /proc here")
	}
	_, rest, _ := strings.Cut(string(p), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		tb.Fatal(err)
	}
	return kb << 10
}

// idle opens a connection and waits until it is welcomed, with as little memory of its own as possible.
func (s served) idle(carrier string, user int) (net.Conn, error) {
	address, hello := s.tcp, fmt.Sprintf("{\"type\":\"hello\",\"user\":\"u%d\"}\n", user)
	if carrier == bus.CarrierWebSocket {
		address = s.web
		hello = fmt.Sprintf("GET /ws?user=u%d HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", user, address)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, hello); err != nil {
		return conn, err
	}
	var got []byte
	buf := make([]byte, 1024)
	for !strings.Contains(string(got), "ping_ms") {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return conn, err
		}
		n, err := conn.Read(buf)
		if err != nil {
			return conn, fmt.Errorf("after %q: %w", got, err)
		}
		got = append(got, buf[:n]...)
	}
	return conn, nil
}

// BenchmarkIdleSessions measures what an idle session costs the node, its attachment to the bus included, at 10,000. The clients are
// in this process, the gateway in another, Redis in a third.
func BenchmarkIdleSessions(b *testing.B) {
	const sessions, allowed = 10_000, 12 << 10
	for _, carrier := range []string{bus.CarrierWebSocket, bus.CarrierTCP} {
		b.Run(carrier, func(b *testing.B) {
			for range b.N {
				gw := serveElsewhere(b, redistest.Start(b).URL())
				conns := make([]net.Conn, sessions)
				before := gw.resident(b)
				gw.connectAll(b, carrier, conns)
				each := (gw.resident(b) - before) / sessions
				b.ReportMetric(float64(each), "B/session")
				if each > allowed {
					b.Errorf("%d bytes a session, %d are allowed", each, allowed)
				}
				for _, conn := range conns {
					check(b, conn.Close())
				}
			}
		})
	}
}

// connectAll fills conns, 32 at a time.
func (s served) connectAll(b *testing.B, carrier string, conns []net.Conn) {
	b.Helper()
	group := run.New(context.Background())
	const workers = 32
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(conns); i += workers {
				var err error
				if conns[i], err = s.idle(carrier, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Stop()
	group.Wait()
	if b.Failed() {
		b.FailNow()
	}
}
