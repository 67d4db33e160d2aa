package client

import (
	"encoding/json"
	"fmt"

	"github.com/ackbus/ackbus/bus"
)

// A frame is whatever a server sends; its type says which fields count.
type frame struct {
	Type string `json:"type"`
	Message
	Welcome
	Code      string `json:"code"`
	Text      string `json:"message"`
	Reconnect int    `json:"reconnect_ms"`
}

// A Message is one message as it came.
type Message struct {
	ID    string          `json:"id"`
	Event string          `json:"event"`
	To    string          `json:"to"`
	Data  json.RawMessage `json:"data"`
	// Ack says that an acknowledgement is awaited.
	Ack bool `json:"ack"`
	// TTL is the time left in milliseconds, 0 without a limit.
	TTL int `json:"ttl_ms,omitempty"`
	// Redelivered says that it may have been seen before, perhaps on another socket.
	Redelivered bool `json:"redelivered,omitempty"`
}

// A Welcome says who the server takes the client for.
type Welcome struct {
	Socket string   `json:"socket"`
	Node   string   `json:"node"`
	User   string   `json:"user"`
	Groups []string `json:"groups"`
	Ping   int      `json:"ping_ms"`
}

// A hello is the first frame of a client.
type hello struct {
	Type   string   `json:"type"`
	Token  string   `json:"token,omitempty"`
	User   string   `json:"user,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// A reply is an ack, a nack or a ping.
type reply struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	Code    string          `json:"code,omitempty"`
	Message string          `json:"message,omitempty"`
}

// decode reads a frame. A msgpack frame is bounded and translated by the bus first: a msgpack decoder believes what lengths it reads.
func decode(p []byte, format bus.Format) (f frame, err error) {
	if format == bus.FormatMsgpack {
		body, err := bus.Encoded(format, p)
		if err != nil {
			return frame{}, err
		}
		if p, err = body.AsJSON(); err != nil {
			return frame{}, err
		}
	}
	if err := json.Unmarshal(p, &f); err != nil {
		return frame{}, fmt.Errorf("client: read a frame: %w", err)
	}
	return f, nil
}

// encode writes a frame.
func encode(v any, format bus.Format) ([]byte, error) {
	body := bus.JSON(v)
	if err := body.Err(); err != nil {
		return nil, err
	}
	if format == bus.FormatMsgpack {
		return body.AsMsgpack()
	}
	return body.Raw(), nil
}
