package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
)

const pingEvery = time.Second

var errFickle = errors.New("hangs up")

// A speech is the writing half of a socket: answers at once and later, and pings.
type speech struct {
	client *client
	wire   *wire
	socket string
	group  *run.Group

	mu     sync.Mutex // guards writing, and what is below
	closed bool
}

func newSpeech(c *client, w *wire, socket string) *speech {
	s := &speech{client: c, wire: w, socket: socket, group: run.New(context.Background())} // ends with the socket
	s.group.Go(s.ping)
	return s
}

func (s *speech) ping() {
	for pause.For(s.group.Context(), pingEvery) {
		s.mu.Lock()
		s.writeLocked(object{"type": "ping"})
		s.mu.Unlock()
	}
}

// writeLocked ends the reading too when it fails.
func (s *speech) writeLocked(o object) {
	if !s.closed && s.wire.write(o) != nil {
		s.wire.interrupt()
	}
}

// answer writes down what it is about to say, and says it: once it may be on its way, it stands in the history.
func (s *speech) answer(m history.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.client.log.Append(history.Event{Kind: history.Answered, Actor: s.client.name, Socket: s.socket, Message: &m})
	if m.Answer == history.Nack {
		s.writeLocked(object{"type": "nack", "id": m.ID, "code": "unkind", "message": "not today"})
	} else {
		s.writeLocked(object{"type": "ack", "id": m.ID, "data": object{"publisher": m.Publisher, "number": m.Number}})
	}
}

// later answers after a while, if the socket still stands.
func (s *speech) later(d time.Duration, m history.Message) {
	s.group.Go(func() {
		if pause.For(s.group.Context(), d) {
			s.answer(m)
		}
	})
}

// close writes down that the socket is gone, before it is: nobody may count on it from then on.
func (s *speech) close(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	text := ""
	if why != nil {
		text = why.Error()
	}
	s.client.log.Append(history.Event{Kind: history.Closed, Actor: s.client.name, Socket: s.socket, Text: text})
}

func (s *speech) end() {
	s.group.Stop()
	s.group.Wait()
}
