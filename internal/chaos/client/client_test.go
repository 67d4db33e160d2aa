package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

const patience = 10 * time.Second

// A gateway is the other side of TCP clients, played by a test.
type gateway struct {
	t        *testing.T
	listener net.Listener
	sockets  int
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return &gateway{t: t, listener: listener}
}

// A peer is one client's connection.
type peer struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

// accept welcomes the next connection.
func (g *gateway) accept(user string) *peer {
	g.t.Helper()
	conn, err := g.listener.Accept()
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	p := &peer{g.t, conn, bufio.NewReader(conn)}
	if hello := p.read(); hello["type"] != "hello" || hello["user"] != user {
		g.t.Fatalf("%v", hello)
	}
	g.sockets++
	p.write(object{"type": "welcome", "socket": fmt.Sprint("s", g.sockets), "node": "gw-1"})
	return p
}

func (p *peer) write(o object) {
	p.t.Helper()
	if err := json.NewEncoder(p.conn).Encode(o); err != nil {
		p.t.Fatal(err)
	}
}

// read returns the next frame that is no ping.
func (p *peer) read() object {
	p.t.Helper()
	for {
		line, err := p.lines.ReadBytes('\n')
		var o object
		if err == nil {
			err = json.Unmarshal(line, &o)
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if o["type"] != "ping" {
			return o
		}
	}
}

func (p *peer) send(n int, user string, again bool) {
	p.t.Helper()
	p.write(object{"type": "message", "id": fmt.Sprint("id-", n), "to": "user:" + user, "ack": true, "redelivered": again,
		"data": object{"publisher": "p", "number": n}})
}

// play lets a client live while the test is its gateway, and returns what it wrote down.
func play(t *testing.T, manner string, with func(g *gateway, user string)) []history.Event {
	t.Helper()
	g, dir := newGateway(t), t.TempDir()
	log, err := history.Create(dir, "one")
	if err != nil {
		t.Fatal(err)
	}
	s := Settings{Nodes: []Node{{"gw-1", "", g.listener.Addr().String()}}, Clients: map[string]int{manner: 1}}
	c := s.clients(log)[0]
	c.over, c.welcome = overTCP, func() {}
	life := run.New(context.Background())
	life.Go(func() { c.live(life.Context()) })
	with(g, c.name)
	life.Stop()
	life.Wait()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	events, err := history.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func kinds(events []history.Event) string {
	var text string
	for _, e := range events {
		text += e.Kind + " " + e.Socket
		if e.Message != nil {
			text += fmt.Sprint(" ", e.Message.Number, " ", e.Message.Handled, e.Message.Answer)
		}
		text += "\n"
	}
	return text
}

// A client that loses its socket connects again, and recognises what it has handled.
func TestAgain(t *testing.T) {
	events := play(t, history.Prompt, func(g *gateway, user string) {
		p := g.accept(user)
		p.send(1, user, false)
		if ack := p.read(); ack["type"] != "ack" || ack["id"] != "id-1" {
			t.Errorf("%v", ack)
		}
		p.conn.Close()
		p = g.accept(user)
		p.send(1, user, true)
		if ack := p.read(); ack["type"] != "ack" || ack["id"] != "id-1" || ack["data"].(map[string]any)["number"] != 1.0 {
			t.Errorf("%v", ack)
		}
	})
	const want = "welcome s1\nseen s1 1 true\nanswered s1 1 trueack\nclosed s1\n" +
		"welcome s2\nseen s2 1 false\nanswered s2 1 falseack\nclosed s2\n"
	if got := kinds(events); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if s := events[0]; s.Text != history.Prompt || s.Node != "gw-1" || len(s.Groups) != 2 || !events[5].Message.Redelivered {
		t.Errorf("%+v", events)
	}
}

func TestManners(t *testing.T) {
	for manner, want := range map[string]string{history.Unkind: "nack", history.Slow: "ack"} {
		play(t, manner, func(g *gateway, user string) {
			p := g.accept(user)
			p.send(1, user, false)
			if answer := p.read(); answer["type"] != want {
				t.Errorf("%s: %v", manner, answer)
			}
		})
	}
	play(t, history.Mute, func(g *gateway, user string) {
		p := g.accept(user)
		p.send(1, user, false)
		p.conn.Close()
		g.accept(user)
	})
	play(t, history.Fickle, func(g *gateway, user string) {
		p := g.accept(user)
		for n := range 200 {
			if json.NewEncoder(p.conn).Encode(object{"type": "message", "id": fmt.Sprint(n), "ack": true}) != nil {
				break
			}
		}
		g.accept(user) // it has hung up, and come back
	})
}
