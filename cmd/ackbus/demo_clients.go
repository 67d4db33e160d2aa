package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/ackbus/ackbus/cmd/ackbus/internal/client"
)

// A guest is one client of the demonstration.
type guest struct {
	name    string
	node    int // 0 to 2
	carrier string
	groups  []string
	delay   time.Duration
	answer  client.Answer
	onTake  func() // before the answer

	socket string   // once welcomed
	deaf   net.Conn // of one that does not read
}

// The carriers of a guest.
const (
	overJSON    = "websocket"
	overMsgpack = "websocket, msgpack"
	overTCP     = "tcp"
	overDeaf    = "tcp, never reads"
)

func guests(c *cluster) []*guest {
	ok := client.Answer{Kind: client.Confirm, Data: json.RawMessage(`{"ok":true}`)}
	return []*guest{
		{name: "ada", node: 0, carrier: overJSON, groups: []string{"crew", "mixed"}, answer: ok},
		{name: "bob", node: 1, carrier: overTCP, groups: []string{"crew"}, answer: ok},
		{name: "cleo", node: 2, carrier: overMsgpack, groups: []string{"crew"}, answer: ok},
		{name: "rex", node: 1, carrier: overTCP, groups: []string{"mixed"},
			answer: client.Answer{Kind: client.Refuse, Code: "no_funds", Message: "the account is empty"}},
		{name: "slow", node: 1, carrier: overJSON, delay: 400 * time.Millisecond, answer: ok},
		{name: "mute", node: 0, carrier: overTCP, answer: client.Answer{Kind: client.Silent}},
		{name: "leo", node: 1, carrier: overJSON, answer: client.Answer{Kind: client.Leave}},
		{name: "deaf", node: 1, carrier: overDeaf},
		{name: "lost", node: 2, carrier: overTCP, answer: client.Answer{Kind: client.Silent}, onTake: c.cutOff},
	}
}

// connectAll connects every guest and returns once all are welcome.
func (c *cluster) connectAll(ctx context.Context) error {
	welcomed := make(chan error)
	all := guests(c)
	for _, g := range all {
		c.clients[g.name] = g
		c.group.Go(func() { c.connect(ctx, g, welcomed) })
	}
	for range all {
		select {
		case err := <-welcomed:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// connect lets the guest in and serves it until the demonstration ends. It tells once how it went.
func (c *cluster) connect(ctx context.Context, g *guest, welcomed chan<- error) {
	tell := func(err error) {
		select {
		case welcomed <- err:
		case <-ctx.Done():
		}
	}
	if g.carrier == overDeaf {
		tell(g.connectDeaf(ctx, c.nodes[g.node].urls.tcp))
		return
	}
	err := client.Run(c.group.Context(), client.Options{
		URL: g.url(c.nodes[g.node]), User: g.name, Groups: g.groups, Msgpack: g.carrier == overMsgpack,
		Delay: g.delay, Once: true, Logger: c.log,
		Welcomed: func(w client.Welcome) {
			g.socket = w.Socket
			tell(nil)
		},
		Handle: func(client.Message) client.Answer {
			if g.onTake != nil {
				g.onTake()
			}
			return g.answer
		},
	})
	if g.socket == "" && err != nil {
		tell(fmt.Errorf("connect %s: %w", g.name, err))
	}
}

func (g *guest) url(n *node) string {
	if g.carrier == overTCP {
		return n.urls.tcp
	}
	return n.urls.websocket
}

// connectDeaf says hello, reads its welcome, and nothing after it. A small buffer lets it fill up soon.
func (g *guest) connectDeaf(ctx context.Context, url string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(url, "tcp://"))
	if err != nil {
		return err
	}
	g.deaf = conn
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, `{"type":"hello","user":%q}`+"\n", g.name); err != nil {
		return err
	}
	var welcome client.Welcome
	if err := json.NewDecoder(conn).Decode(&welcome); err != nil {
		return fmt.Errorf("connect %s: %w", g.name, err)
	}
	g.socket = welcome.Socket
	return nil
}

func (g *guest) close() {
	if g.deaf != nil {
		_ = g.deaf.Close() // it has nothing to say
	}
}
