package gateway

import (
	"errors"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
)

// badFrames within badWindow end a session.
const (
	badFrames = 10
	badWindow = time.Minute
)

var (
	errHelloFirst = errors.New("hello must come first")
	errHelloTwice = errors.New("hello was said already")
)

// take handles one frame of the client.
func (s *session) take(p []byte) {
	var f frame
	err := decode(s.format, p, &f)
	s.inbox.clear() // nothing of f points into p
	switch {
	case !s.greeted:
		if !s.ended() { // a client may have sent on before it reads that it was refused
			s.takeFirst(&f, err)
		}
	case err != nil:
		s.bad(f.Ref, err)
	case f.Type == "ack" || f.Type == "nack":
		s.ack(&f)
	case s.ended():
	case s.limiter != nil && !s.limiter.Allow():
		s.refuse(&f, codeRateLimited, "too many frames")
	default:
		s.serve(&f)
	}
}

// takeFirst handles frames until hello has come. TCP allows no other, on WebSocket each other is a bad frame.
func (s *session) takeFirst(f *frame, err error) {
	if err == nil && f.Type == "hello" {
		c := Credentials{Token: f.Token, User: f.User, Groups: f.Groups, RemoteAddr: s.conn.RemoteAddr().String(), Carrier: s.kind}
		s.greet(c)
		return
	}
	if err == nil {
		err = errHelloFirst
	}
	s.bad(f.Ref, err)
	if s.kind == bus.CarrierTCP {
		s.shut(endNotHello)
	}
}

// serve handles a frame that asks for something.
func (s *session) serve(f *frame) {
	switch f.Type {
	case "hello":
		s.bad(nil, errHelloTwice)
	case "ping":
		s.say(sealAnswer(s.format, "pong", f.Ref))
	case "call":
		s.atOnce(*f)
	case "send":
		if f.Receipt {
			s.atOnce(*f)
			return
		}
		s.inOrder(*f)
	default: // join and leave: decode lets nothing else through
		s.inOrder(*f)
	}
}

// bad answers a frame that can't be served and ends a session that sends too many.
func (s *session) bad(ref []byte, err error) {
	if s.ended() {
		return
	}
	s.fail(ref, codeBadFrame, plain.Text(err))
	now := time.Now()
	for len(s.badAt) > 0 && now.Sub(s.badAt[0]) >= badWindow {
		s.badAt = s.badAt[1:]
	}
	if s.badAt = append(s.badAt, now); len(s.badAt) >= badFrames {
		s.shut(endBadFrames)
	}
}

// refuse answers a frame that was understood: a call by a reply, others by an error.
func (s *session) refuse(f *frame, code, message string) {
	if f.Type == "call" {
		s.say(sealReply(s.format, f.Ref, bus.Body{}, &bus.Rejection{Code: code, Message: message}))
		return
	}
	s.fail(f.Ref, code, message)
}

func (s *session) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase >= closing
}
