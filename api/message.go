package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// maxEvent is how many bytes the name of an event may have.
const maxEvent = 255

// A message is what request and publish have in common.
type message struct {
	to       bus.Address
	event    string
	data     bus.Body
	volatile bool
	id       uuid.UUID
}

// fields are the members of a message, with those that the operation adds.
func (m *message) fields(maxData int, more ...field) []field {
	return append([]field{
		{"to", parsed(&m.to, bus.ParseAddress)},
		{"event", parsed(&m.event, parseEvent)},
		{"data", func(raw json.RawMessage) (err error) {
			m.data, err = parseData(raw, maxData)
			return err
		}},
		{"volatile", flag(&m.volatile)},
		{"id", parsed(&m.id, parseID)},
	}, more...)
}

// read reads the body of a call into the message. The caller calls done once the message was sent.
func (a *API) read(w http.ResponseWriter, r *http.Request, m *message, more ...field) (done func(), err error) {
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
func (m *message) complete(r *http.Request) error {
	if m.to.IsZero() {
		return badRequest("to: is missing; want an address, as in user:42")
	}
	if m.event == "" {
		return badRequest("event: is missing; want a name of 1 to %d bytes", maxEvent)
	}
	id, err := idempotencyID(r)
	if err != nil {
		return err
	}
	if id != uuid.Nil && m.id != uuid.Nil {
		return badRequest("id: stands there besides an Idempotency-Key header; want one of them")
	}
	if id != uuid.Nil {
		m.id = id
	}
	return nil
}

// options are what the message asks of the bus.
func (m *message) options() []bus.SendOption {
	var opts []bus.SendOption
	if m.volatile {
		opts = append(opts, bus.Volatile())
	}
	if m.id != uuid.Nil {
		opts = append(opts, bus.WithID(m.id))
	}
	return opts
}

func parseEvent(s string) (string, error) {
	if s == "" || len(s) > maxEvent || strings.ContainsFunc(s, unicode.IsControl) {
		return "", fmt.Errorf("want a name of 1 to %d bytes without control characters", maxEvent)
	}
	return s, nil
}

// parseID takes the usual form alone: uuid.Parse would take braces and a URN too.
func parseID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != len(uuid.Nil.String()) || id == uuid.Nil {
		return uuid.Nil, errors.New("want a UUID, as in 0193d8a1-7c5e-7b52-9d2a-4f0c3b1e6a77")
	}
	return id, nil
}

// parseData takes the data without its insignificant space, so that the same data is the same content however it was laid out.
func parseData(raw json.RawMessage, most int) (bus.Body, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return bus.Body{}, err
	}
	if compact.Len() > most {
		return bus.Body{}, tooLarge("has %d bytes; %d are allowed", compact.Len(), most)
	}
	body, err := bus.Encoded(bus.FormatJSON, compact.Bytes())
	if err != nil {
		return bus.Body{}, fmt.Errorf("want JSON nested %d levels at most: %w", bus.MaxNesting, err)
	}
	return body, nil
}
