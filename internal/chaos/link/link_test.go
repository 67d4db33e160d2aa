package link_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/link"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

const patience = 10 * time.Second

// echoing starts a server that sends everything back, and a link to it.
func echoing(t *testing.T) *link.Link {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	group := run.New(context.Background())
	group.Go(func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			})
		}
	})
	l, err := link.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Target(server.Addr().String())
	t.Cleanup(func() {
		l.Close()
		server.Close()
		group.Stop()
		group.Wait()
	})
	return l
}

func dial(t *testing.T, l *link.Link) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", l.Addr(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// read takes exactly what is wanted.
func read(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("%q, %v: want %q", got, err, want)
	}
}

// silent holds that nothing comes for a while.
func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes, %v", n, err)
	}
}

// wantReset holds that the connection ends with RST.
func wantReset(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("%v, want a reset", err)
	}
}

func TestPasses(t *testing.T) {
	l := echoing(t)
	conn := dial(t, l)
	write(t, conn, "one")
	read(t, conn, "one")
	write(t, conn, "two")
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	read(t, conn, "two")
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

func TestShapes(t *testing.T) {
	l := echoing(t)
	conn := dial(t, l)
	const late = 60 * time.Millisecond
	l.Set(link.Shape{Delay: late}, link.Shape{Delay: late})
	begin := time.Now()
	write(t, conn, "late")
	read(t, conn, "late")
	if took := time.Since(begin); took < 2*late {
		t.Errorf("there and back in %v", took)
	}
	l.Set(link.Shape{Slice: 2}, link.Shape{Slice: 3})
	write(t, conn, "in slices")
	read(t, conn, "in slices")
	for _, one := range [][2]link.Shape{{{Hold: true}, {}}, {{}, {Hold: true}}, {{Hold: true}, {Hold: true}}} {
		l.Set(one[0], one[1])
		write(t, conn, "held")
		silent(t, conn)
		l.Set(link.Shape{}, link.Shape{})
		read(t, conn, "held")
	}
}

// A change of heart does not wait for what was late.
func TestHealsAtOnce(t *testing.T) {
	l := echoing(t)
	conn := dial(t, l)
	l.Set(link.Shape{Delay: time.Hour}, link.Shape{})
	write(t, conn, "late")
	silent(t, conn)
	l.Set(link.Shape{}, link.Shape{})
	read(t, conn, "late")
}

// A connection that lost something is reset, one that did not is kept.
func TestSwallows(t *testing.T) {
	l := echoing(t)
	for _, one := range [][2]link.Shape{{{Swallow: true}, {}}, {{}, {Swallow: true}}} {
		conn, idle := dial(t, l), dial(t, l)
		for _, c := range []*net.TCPConn{conn, idle} {
			write(t, c, "before")
			read(t, c, "before")
		}
		l.Set(one[0], one[1])
		write(t, conn, "lost")
		silent(t, conn)
		l.Set(link.Shape{}, link.Shape{})
		wantReset(t, conn)
		write(t, idle, "after")
		read(t, idle, "after")
	}
}

func TestReset(t *testing.T) {
	l := echoing(t)
	conn := dial(t, l)
	write(t, conn, "before")
	read(t, conn, "before")
	l.Set(link.Shape{Hold: true}, link.Shape{Hold: true})
	write(t, conn, "held")
	l.Reset()
	wantReset(t, conn)
}

// Where nobody listens the connection is reset.
func TestNoTarget(t *testing.T) {
	l := echoing(t)
	l.Target("127.0.0.1:1")
	conn, err := net.DialTimeout("tcp", l.Addr(), patience)
	if errors.Is(err, syscall.ECONNRESET) {
		return // faster than the dial
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	wantReset(t, conn)
}
