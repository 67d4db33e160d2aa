package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
)

// maxEvent is how many bytes the name of an event may have.
const maxEvent = 255

// A Message is what request and publish have in common, whether it comes in the body of a call or from a command line.
type Message struct {
	To       bus.Address
	Event    string
	Data     bus.Body
	Volatile bool      // endpoints that are not ready to take it at once drop it
	ID       uuid.UUID // uuid.Nil: the bus chooses
}

// Options are what the message asks of the bus.
func (m *Message) Options() []bus.SendOption {
	var opts []bus.SendOption
	if m.Volatile {
		opts = append(opts, bus.Volatile())
	}
	if m.ID != uuid.Nil {
		opts = append(opts, bus.WithID(m.ID))
	}
	return opts
}

// ParseTo takes an address that may be sent to. The addresses of methods are not: package rpc calls them.
func ParseTo(s string) (bus.Address, error) {
	to, err := gateway.ParseTarget(s)
	if err == nil && to.Kind() == "method" {
		return bus.Address{}, errors.New("a method is called, not sent to: see POST /v1/call/{method} and ackbus call")
	}
	return to, err
}

// ParseEvent takes the name of an event: 1 to 255 bytes of UTF-8 without control characters. Its error says so.
func ParseEvent(s string) (string, error) {
	if s == "" || len(s) > maxEvent || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", fmt.Errorf("want a name of 1 to %d bytes without control characters", maxEvent)
	}
	return s, nil
}

// ParseID takes a UUID in its usual form alone: uuid.Parse would take braces and a URN too. Its error says what is wanted.
func ParseID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != len(uuid.Nil.String()) || id == uuid.Nil {
		return uuid.Nil, errors.New("want a UUID, as in 0193d8a1-7c5e-7b52-9d2a-4f0c3b1e6a77")
	}
	return id, nil
}

// ParseData takes JSON without its insignificant space, so that the same data is the same content however it was laid out. Errors say
// that it is not JSON, or nested too deep.
func ParseData(raw []byte) (bus.Body, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		if tooDeep(err) {
			return bus.Body{}, errNested
		}
		return bus.Body{}, fmt.Errorf("not JSON: %w", err)
	}
	body, err := bus.Encoded(bus.FormatJSON, compact.Bytes())
	if err != nil {
		return bus.Body{}, fmt.Errorf("%w: %w", errNested, err)
	}
	return body, nil
}

// fields are the members of a message, with those that the operation adds.
func (m *Message) fields(maxData int, more ...field) []field {
	return append([]field{
		{name: "to", set: parsed(&m.To, ParseTo)},
		{name: "event", set: parsed(&m.Event, ParseEvent)},
		data(&m.Data, maxData),
		{name: "volatile", set: flag(&m.Volatile)},
		{name: "id", set: parsed(&m.ID, ParseID)},
	}, more...)
}

// data is the one member of which null is a value: a body that is null, not none.
func data(to *bus.Body, most int) field {
	return field{name: "data", null: true, set: func(raw json.RawMessage) (err error) {
		*to, err = boundedData(raw, most)
		return err
	}}
}

func boundedData(raw json.RawMessage, most int) (bus.Body, error) {
	body, err := ParseData(raw)
	if n := len(body.Raw()); n > most {
		return bus.Body{}, tooLarge("has %d bytes; %d are allowed", n, most)
	}
	return body, err
}

// read reads the body of a call into the message. The caller calls done once the message was sent.
func (a *API) read(w http.ResponseWriter, r *http.Request, m *Message, more ...field) (done func(), err error) {
	if err := noParameters(r); err != nil {
		return nil, err
	}
	body, done, err := a.intake.read(w, r, int64(a.opts.MaxData+bodySlack))
	if err != nil {
		return nil, err
	}
	if err = readObject(body, m.fields(a.opts.MaxData, more...)); err == nil {
		err = m.complete(r)
	}
	if err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// complete checks what must be there, and takes the ID from the header where it stands there.
func (m *Message) complete(r *http.Request) error {
	if m.To.IsZero() {
		return badRequest("to: is missing; want an address, as in user:42")
	}
	if m.Event == "" {
		return badRequest("event: is missing; want a name of 1 to %d bytes", maxEvent)
	}
	id, err := idempotencyID(r)
	if err != nil {
		return err
	}
	if id != uuid.Nil && m.ID != uuid.Nil {
		return badRequest("id: stands there besides an Idempotency-Key header; want one of them")
	}
	if id != uuid.Nil {
		m.ID = id
	}
	return nil
}
