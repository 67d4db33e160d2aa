package main

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A holder is a TCP client that acknowledges when the test says so.
type holder struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Scanner
}

// hold connects one as the user "held".
func hold(t *testing.T, gw *server) *holder {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(gw.tcp, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	h := &holder{t, conn, bufio.NewScanner(conn)}
	h.write(`{"type":"hello","user":"held"}`)
	h.read("welcome")
	return h
}

func (h *holder) write(frame string) {
	h.t.Helper()
	if _, err := io.WriteString(h.conn, frame+"\n"); err != nil {
		h.t.Fatal(err)
	}
}

// read returns the ID of the next frame, which must be of the type.
func (h *holder) read(kind string) (id string) {
	h.t.Helper()
	if !h.lines.Scan() {
		h.t.Fatalf("waiting for %s: %v", kind, h.lines.Err())
	}
	f := parse[struct{ Type, ID string }](h.t, h.lines.Text())
	if f.Type != kind {
		h.t.Fatalf("got %s, want %s", h.lines.Text(), kind)
	}
	return f.ID
}
