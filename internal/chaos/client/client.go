package client

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/pause"
)

const (
	leastPause = 20 * time.Millisecond
	mostPause  = 300 * time.Millisecond
)

// A client is what outlives its sockets.
type client struct {
	name    string
	manner  string
	over    string
	groups  []string
	nodes   []Node
	log     *history.Log
	handled map[string]bool // IDs
	chance  *rand.Rand
	welcome func() // called at each welcome
}

// live connects, again and again, until ctx ends.
func (c *client) live(ctx context.Context) {
	for {
		wait := c.session(ctx)
		if wait == 0 {
			wait = leastPause + time.Duration(c.chance.Int64N(int64(mostPause-leastPause)))
		}
		if !pause.For(ctx, wait) {
			return
		}
	}
}

// session is one socket, from the dial to its end. It returns how long the node asked to stay away, if it did.
func (c *client) session(ctx context.Context) (away time.Duration) {
	node := c.nodes[c.chance.IntN(len(c.nodes))]
	w, err := dial(ctx, node, c.over)
	if err != nil {
		return 0
	}
	stop := context.AfterFunc(ctx, w.interrupt)
	defer stop()
	defer w.conn.Close()
	f, err := w.greet(c.name, c.groups)
	if err != nil {
		return 0
	}
	c.log.Append(history.Event{Kind: history.Welcome, Actor: c.name, Socket: f.Socket, Node: f.Node, Groups: c.groups, Text: c.manner})
	c.welcome()
	s := newSpeech(c, w, f.Socket)
	defer s.end()
	err = c.listen(ctx, s, &away)
	s.close(err)
	if away > 0 {
		away += time.Duration(c.chance.Int64N(int64(away/2) + 1))
	}
	return away
}

// listen takes frames until the socket ends.
func (c *client) listen(ctx context.Context, s *speech, away *time.Duration) error {
	for {
		f, err := s.wire.next()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		switch f.Type {
		case "message":
			if c.take(s, f) {
				return errFickle
			}
		case "drain":
			*away = time.Duration(f.Reconnect) * time.Millisecond
		}
	}
}

// take writes the message down and reacts to it. It reports whether the client has had enough of the socket.
func (c *client) take(s *speech, f frame) (enough bool) {
	m := history.Message{ID: f.ID, To: f.To, Redelivered: f.Redelivered, Handled: !c.handled[f.ID]}
	if f.Data != nil {
		m.Key = *f.Data
	}
	c.handled[f.ID] = true
	c.log.Append(history.Event{Kind: history.Seen, Actor: c.name, Socket: s.socket, Message: &m})
	if !f.Ack {
		return false
	}
	m.Answer = history.Ack
	switch c.manner {
	case history.Mute:
		return false
	case history.Unkind:
		m.Answer = history.Nack
	case history.Slow:
		s.later(time.Duration(c.chance.Int64N(int64(time.Second))), m)
		return false
	case history.Weary:
		s.later(2*time.Second+time.Duration(c.chance.Int64N(int64(4*time.Second))), m)
		return false
	case history.Fickle:
		if c.chance.IntN(4) == 0 {
			return true
		}
	}
	s.answer(m)
	return false
}
