package client

import (
	"encoding/json"
	"errors"
	"log/slog"
	"time"
)

// Errors of Run.
var (
	// ErrRefused says that the server does not let the client in; trying again is of no use.
	ErrRefused = errors.New("refused")
	// ErrURL says that the URL can't be used.
	ErrURL = errors.New("bad URL")
)

// Options say where a client connects, as whom, and what it does with messages.
type Options struct {
	// URL is ws://host:port/ws, wss://… or tcp://host:port.
	URL string
	// User and Groups are who the client says it is; a server that authenticates looks at the Token alone.
	User   string
	Groups []string
	Token  string
	// Msgpack asks for msgpack in place of JSON, over WebSocket alone.
	Msgpack bool
	// Handle is called for each message, but not again for one that came before. It must not block. Default: confirms.
	Handle func(Message) Answer
	// Welcomed is called each time that the server has let the client in. Default: nothing.
	Welcomed func(Welcome)
	// Delay is how long the client takes before it acknowledges.
	Delay time.Duration
	// Count ends the client after so many messages, acknowledgements written. Default: never.
	Count int
	// Once ends the client when its connection falls. Default: it connects again.
	Once bool
	// Logger takes what goes wrong. Default: slog.Default().
	Logger *slog.Logger
}

// The kinds of an Answer.
const (
	Confirm = iota // acknowledge, with Data
	Refuse         // refuse, with Code and Message
	Silent         // say nothing
	Leave          // close the connection at once, and say nothing
)

// An Answer is what a client says to a message.
type Answer struct {
	Kind    int
	Data    json.RawMessage
	Code    string
	Message string
}

func (o *Options) withDefaults() Options {
	c := *o
	if c.Handle == nil {
		c.Handle = func(Message) Answer { return Answer{} }
	}
	if c.Welcomed == nil {
		c.Welcomed = func(Welcome) {}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// reply is the frame of an answer, or nil where there is none.
func (a *Answer) reply(id string) *reply {
	switch a.Kind {
	case Confirm:
		return &reply{Type: "ack", ID: id, Data: a.Data}
	case Refuse:
		return &reply{Type: "nack", ID: id, Code: a.Code, Message: a.Message}
	}
	return nil
}
