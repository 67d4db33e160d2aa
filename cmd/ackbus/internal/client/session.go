package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

const (
	dialTimeout   = 5 * time.Second
	finishTimeout = time.Second
	// maxWaiting is how many acknowledgements may wait to be written.
	maxWaiting = 4096
)

// A session is one connection that the server has let in.
type session struct {
	client    *client
	conn      conn
	ping      time.Duration
	waiting   chan waiting
	written   chan struct{} // closed when the writer has ended
	reconnect time.Duration // what the server asked for when it drained
}

// A waiting reply is written when it is due.
type waiting struct {
	due   time.Time
	reply *reply
}

// open connects, says hello and returns once the server has welcomed the client.
func (c *client) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, introduced, err := dial(ctx, &c.opts)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, conn.interrupt)
	defer stop()
	welcome, err := c.greet(conn, introduced)
	if err != nil {
		conn.close(false)
		return nil, err
	}
	c.opts.Welcomed(welcome)
	return &session{client: c, conn: conn, ping: time.Duration(welcome.Ping) * time.Millisecond,
		waiting: make(chan waiting, maxWaiting), written: make(chan struct{})}, nil
}

func (c *client) greet(conn conn, introduced bool) (Welcome, error) {
	if !introduced {
		if err := conn.write(hello{"hello", c.opts.Token, c.opts.User, c.opts.Groups}); err != nil {
			return Welcome{}, err
		}
	}
	f, err := conn.read(0)
	switch {
	case err != nil:
		return Welcome{}, err
	case f.Type == "welcome":
		return f.Welcome, nil
	case f.Type == "error" && (f.Code == "unauthorized" || f.Code == "forbidden"):
		return Welcome{}, fmt.Errorf("%w: %s: %s", ErrRefused, f.Code, f.Text)
	}
	return Welcome{}, fmt.Errorf("client: the server began with %s %s %s, not with welcome", f.Type, f.Code, f.Text)
}

// run takes messages until the connection ends or the client is done. What waits to be written is written first
// when enough messages have come, and not when the handler left.
func (s *session) run(ctx context.Context) error {
	writer := run.New(ctx)
	writer.Go(func() { s.write(writer.Context()) })
	stop := context.AfterFunc(ctx, s.conn.interrupt)
	err := s.read()
	stop()
	close(s.waiting)
	if errors.Is(err, errEnough) {
		select {
		case <-s.written:
		case <-ctx.Done():
		}
	}
	writer.Stop()
	writer.Wait()
	s.conn.close(!errors.Is(err, errLeft))
	return err
}

func (s *session) read() error {
	for {
		f, err := s.conn.read(s.ping)
		if err != nil {
			return err
		}
		switch f.Type {
		case "message":
			if err := s.take(f.Message); err != nil {
				return err
			}
		case "drain":
			s.reconnect = max(time.Duration(f.Reconnect)*time.Millisecond, time.Millisecond)
			s.client.opts.Logger.Info("the server is going away", "reconnect", s.reconnect)
		case "error":
			s.client.opts.Logger.Warn("the server says error", "code", f.Code, "message", f.Text)
			if f.Code == "unauthorized" {
				return fmt.Errorf("%w: %s: %s", ErrRefused, f.Code, f.Text)
			}
		}
	}
}

// take handles a message, or gives the same answer again.
func (s *session) take(m Message) error {
	c := s.client
	a, again := c.seen.answer(m.ID)
	if !again {
		a = c.opts.Handle(m)
		c.seen.remember(m.ID, a)
		c.taken++
	}
	if a.Kind == Leave {
		return errLeft
	}
	if r := a.reply(m.ID); r != nil && m.Ack {
		select {
		case s.waiting <- waiting{time.Now().Add(c.opts.Delay), r}:
		case <-s.written:
			return errWrite
		}
	}
	if c.opts.Count > 0 && c.taken >= c.opts.Count {
		return errEnough
	}
	return nil
}

// write writes each reply when it is due, and a ping at each interval, until waiting is closed and empty.
func (s *session) write(ctx context.Context) {
	defer close(s.written)
	ping := time.NewTicker(cmp.Or(s.ping, time.Hour))
	defer ping.Stop()
	for {
		var err error
		select {
		case next, more := <-s.waiting:
			if !more || !s.await(ctx, next.due, ping.C) {
				return
			}
			err = s.conn.write(next.reply)
		case <-ping.C:
			err = s.conn.write(reply{Type: "ping"})
		case <-ctx.Done():
			return
		}
		if err != nil {
			s.conn.interrupt() // the reader ends the session
			return
		}
	}
}

// await returns true at the time due, and pings meanwhile.
func (s *session) await(ctx context.Context, due time.Time, ping <-chan time.Time) bool {
	left := time.Until(due)
	if left <= 0 {
		return true
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-ping:
			if s.conn.write(reply{Type: "ping"}) != nil {
				s.conn.interrupt()
				return false
			}
		case <-ctx.Done():
			return false
		}
	}
}
