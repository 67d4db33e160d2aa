package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"unicode/utf8"

	"github.com/ackbus/ackbus/bus"
)

// jsonFrame is a frame as JSON has it.
type jsonFrame struct {
	Type    string          `json:"type"`
	ID      string          `json:"id"`
	Ref     json.RawMessage `json:"ref"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Token   string          `json:"token"`
	User    string          `json:"user"`
	Groups  []string        `json:"groups"`
	Group   string          `json:"group"`
	Method  string          `json:"method"`
	To      string          `json:"to"`
	Event   string          `json:"event"`
	Receipt bool            `json:"receipt"`
	Timeout wholeNumber     `json:"timeout_ms"`
	Data    json.RawMessage `json:"data"`
}

// decodeJSON reads a frame. Nesting is bounded where it matters: encoding/json skips without recursion, and bus.Encoded
// counts the levels of the body.
func decodeJSON(p []byte, f *frame) error {
	if ackJSON(p, f) {
		return nil
	}
	if !utf8.Valid(p) {
		return errors.New("not valid UTF-8")
	}
	var j jsonFrame
	err := json.Unmarshal(p, &j)
	ref, refErr := jsonRef(j.Ref)
	*f = frame{Type: j.Type, ID: j.ID, Ref: ref, Code: j.Code, Message: j.Message, Token: j.Token, User: j.User, Groups: j.Groups,
		Group: j.Group, Method: j.Method, To: j.To, Event: j.Event, Receipt: j.Receipt, Timeout: int64(j.Timeout)}
	if err != nil {
		return jsonError(err)
	}
	if refErr != nil || j.Data == nil {
		return refErr
	}
	f.Body, err = bus.Encoded(bus.FormatJSON, j.Data)
	return inField("data", err)
}

// A wholeNumber may be written as any JSON number that is one, such as 5000.0.
type wholeNumber int64

// UnmarshalJSON implements json.Unmarshaler. null changes nothing.
func (n *wholeNumber) UnmarshalJSON(p []byte) error {
	var f float64
	if err := json.Unmarshal(p, &f); err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return errTimeout
	}
	*n = wholeNumber(f)
	return nil
}

// jsonError says what is wrong without the names of Go types.
func jsonError(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return errNotObject
		}
		return errType(wrong.Field)
	}
	if errors.Is(err, errTimeout) {
		return errTimeout
	}
	return errors.New("not a JSON object: " + err.Error())
}

// jsonRef keeps a reference as it came, to be given back.
func jsonRef(p json.RawMessage) ([]byte, error) {
	if p == nil || string(p) == "null" {
		return nil, nil
	}
	if c := p[0]; len(p) > maxRef || c != '"' && c != '-' && (c < '0' || c > '9') {
		return nil, errRef
	}
	return p, nil
}

// What the commonest frame looks like: {"type":"ack","id":"<36>"} with or without ,"data":<value> before the end.
const (
	ackStart = `{"type":"ack","id":"`
	ackData  = `,"data":`
	idLen    = 36
)

// ackJSON reads an acknowledgement of exactly that shape and leaves every other to the general decoder.
func ackJSON(p []byte, f *frame) bool {
	const head = len(ackStart) + idLen + 1 // and the closing quote
	if len(p) <= head || string(p[:len(ackStart)]) != ackStart || p[head-1] != '"' || p[len(p)-1] != '}' {
		return false
	}
	id := p[len(ackStart) : head-1]
	for _, c := range id {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	rest := p[head : len(p)-1]
	if len(rest) > 0 {
		value, ok := bytes.CutPrefix(rest, []byte(ackData))
		if !ok {
			return false
		}
		body, err := bus.Encoded(bus.FormatJSON, bytes.Clone(value)) // one value, or it is not of this shape
		if err != nil {
			return false
		}
		f.Body = body
	}
	f.Type, f.ID = "ack", string(id)
	return true
}
