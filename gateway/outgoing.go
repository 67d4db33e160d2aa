package gateway

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// The codes of error frames.
const (
	codeBadFrame      = "bad_frame"
	codeUnauthorized  = "unauthorized"
	codeForbidden     = "forbidden"
	codeUnknownMethod = "unknown_method"
	codeTooLarge      = "too_large"
	codeRateLimited   = "rate_limited"
	codeOverloaded    = "overloaded"
	codeTimeout       = "timeout"
	codeInternal      = "internal"
)

// The slots of bus.Message.Encoded: a fan-out encodes once for each form.
const (
	slotJSON = iota
	slotMsgpack
)

// sealMessage gives the message as a sealed object, shared by all sockets of the node that speak the format. It is
// empty when the body can't be translated.
func sealMessage(m *bus.Message, format bus.Format) []byte {
	if format == bus.FormatMsgpack {
		return m.Encoded(slotMsgpack, sealMsgpack)
	}
	return m.Encoded(slotJSON, sealJSON)
}

func sealJSON(m *bus.Message) []byte    { return seal(m, bus.FormatJSON) }
func sealMsgpack(m *bus.Message) []byte { return seal(m, bus.FormatMsgpack) }

func seal(m *bus.Message, format bus.Format) []byte {
	body, err := bodyAs(m.Body, format)
	if err != nil {
		return []byte{}
	}
	o := newObject(format, "message", 150+len(body)+len(m.Event))
	o.text("id", m.ID.String())
	o.text("event", m.Event)
	o.raw("data", body)
	o.text("to", m.To.String())
	o.flag("ack", m.Ack)
	if !m.Deadline.IsZero() {
		o.number("ttl_ms", max(time.Until(m.Deadline).Milliseconds(), 0))
	}
	if m.Redelivered {
		o.flag("redelivered", true)
	}
	return o.sealed()
}

// bodyAs gives a body in the carrier's own form. JSON comes on one line, as NDJSON asks for.
func bodyAs(b bus.Body, format bus.Format) ([]byte, error) {
	if format == bus.FormatMsgpack {
		return b.AsMsgpack()
	}
	p, err := b.AsJSON()
	if err != nil || !bytes.ContainsAny(p, "\n\r") {
		return p, err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, p); err != nil {
		return nil, err
	}
	return line.Bytes(), nil
}

// asFormat gives JSON that was made here in the carrier's own form.
func asFormat(p []byte, format bus.Format) ([]byte, error) {
	if format == bus.FormatJSON {
		return p, nil
	}
	b, err := bus.Encoded(bus.FormatJSON, p)
	if err != nil {
		return nil, err
	}
	return b.AsMsgpack()
}

func (s *session) sealWelcome() []byte {
	o := newObject(s.format, "welcome", 200)
	o.text("socket", s.socket)
	o.text("node", s.gw.node)
	if s.who.User != "" {
		o.text("user", s.who.User)
	}
	o.texts("groups", s.who.Groups)
	o.number("ping_ms", s.gw.pingMillis())
	return o.sealed()
}

// sealAnswer is a frame with nothing but the reference of what it answers.
func sealAnswer(format bus.Format, kind string, ref []byte) []byte {
	o := newObject(format, kind, 24+len(ref))
	if ref != nil {
		o.raw("ref", ref)
	}
	return o.sealed()
}

func sealError(format bus.Format, ref []byte, code, message string) []byte {
	o := newObject(format, "error", 64+len(message)+len(ref))
	if ref != nil {
		o.raw("ref", ref)
	}
	o.text("code", code)
	o.text("message", message)
	return o.sealed()
}

// sealReply answers a call: with body, or with the error where there is one.
func sealReply(format bus.Format, ref []byte, body bus.Body, failure *bus.Rejection) []byte {
	value, err := bodyAs(body, format)
	if err != nil {
		failure = &bus.Rejection{Code: codeInternal, Message: "the result can't be translated for this carrier"}
	}
	name := "data"
	if failure != nil {
		name = "error"
		if value, err = bodyAs(bus.JSON(failure), format); err != nil {
			value, _ = bodyAs(bus.Body{}, format) // none always translates
		}
	}
	return sealReplyObject(format, ref, name, value)
}

func sealReplyObject(format bus.Format, ref []byte, name string, value []byte) []byte {
	o := newObject(format, "reply", 32+len(value)+len(ref))
	o.raw("ref", ref)
	o.raw(name, value)
	return o.sealed()
}

func sealReceipt(format bus.Format, ref []byte, r *bus.Receipt) ([]byte, error) {
	p, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if p, err = asFormat(p, format); err != nil {
		return nil, err
	}
	o := newObject(format, "receipt", 32+len(p)+len(ref))
	o.raw("ref", ref)
	o.raw("receipt", p)
	return o.sealed(), nil
}

func (s *session) sealDrain() []byte {
	o := newObject(s.format, "drain", 48)
	o.number("reconnect_ms", s.gw.opts.ReconnectDelay.Milliseconds())
	return o.sealed()
}
