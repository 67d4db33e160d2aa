package client

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

const patienceOfTests = 10 * time.Second

// A script plays the server: each connection is one step of the test.
type script struct {
	t *testing.T
	l net.Listener
}

func newScript(t *testing.T) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &script{t, l}
}

func (s *script) url() string { return "tcp://" + s.l.Addr().String() }

// A side is the server's side of one connection.
type side struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

// accept takes the next connection, whatever it says.
func (s *script) accept() *side {
	s.t.Helper()
	if err := s.l.(*net.TCPListener).SetDeadline(time.Now().Add(patienceOfTests)); err != nil {
		s.t.Fatal(err)
	}
	conn, err := s.l.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patienceOfTests)); err != nil {
		s.t.Fatal(err)
	}
	return &side{s.t, conn, bufio.NewReader(conn)}
}

// welcome takes the next connection and lets its client in.
func (s *script) welcome() *side {
	s.t.Helper()
	c := s.accept()
	c.expect("hello", "")
	c.send(`{"type":"welcome","socket":"s","node":"n","user":"42","groups":[],"ping_ms":0}`)
	return c
}

func (c *side) send(line string) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(line + "\n")); err != nil {
		c.t.Fatal(err)
	}
}

func (c *side) message(id string) {
	c.t.Helper()
	c.send(`{"type":"message","id":"` + id + `","event":"e","data":{"n":1},"to":"user:42","ack":true}`)
}

// expect reads one frame of the type, for the message if one is named.
func (c *side) expect(kind, id string) reply {
	c.t.Helper()
	line, err := c.lines.ReadBytes('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	var r reply
	if err := json.Unmarshal(line, &r); err != nil || r.Type != kind || r.ID != id {
		c.t.Fatalf("got %s, want %s %s (%v)", line, kind, id, err)
	}
	return r
}

// ended reads to the end of the connection, which must have nothing more to say.
func (c *side) ended() {
	c.t.Helper()
	if line, err := c.lines.ReadString('\n'); err == nil {
		c.t.Errorf("got %s, want the end", line)
	}
}

// A running client, and how it ended.
type running struct {
	t     *testing.T
	group *run.Group
	end   chan error
}

func runClient(t *testing.T, o Options) *running {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	r := &running{t, run.New(context.Background()), make(chan error, 1)}
	r.group.Go(func() { r.end <- Run(r.group.Context(), o) })
	t.Cleanup(func() {
		r.group.Stop()
		r.group.Wait()
	})
	return r
}

func (r *running) wait() error {
	r.t.Helper()
	select {
	case err := <-r.end:
		return err
	case <-time.After(patienceOfTests):
		r.t.Fatal("the client did not end")
		return nil
	}
}
