package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
)

// A field is one member that an object may have: its name, and what takes its value. The error of set says what is
// allowed; the name is put before it.
type field struct {
	name string
	set  func(raw json.RawMessage) error
	null bool // null is a value; elsewhere it is as if the member were not there, as encoders write what is not set
}

// readObject reads one JSON object strictly: names in the right case, each once, none that is unknown, nothing after it.
// encoding/json by itself would let all of that pass.
func readObject(body []byte, fields []field) error {
	if !utf8.Valid(body) {
		return badRequest("the body is not valid UTF-8")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return badRequest("the body is empty: want a JSON object with %s", names(fields))
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	start, err := dec.Token()
	if err != nil {
		return notJSON(err)
	}
	if start != json.Delim('{') {
		return badRequest("the body is JSON, but no object: want an object with %s", names(fields))
	}
	seen := make(map[string]bool, len(fields))
	for dec.More() {
		if err := readField(dec, fields, seen); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return notJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("the body goes on after its JSON object")
	}
	return nil
}

func readField(dec *json.Decoder, fields []field, seen map[string]bool) error {
	token, err := dec.Token()
	if err != nil {
		return notJSON(err)
	}
	name, _ := token.(string) // a decoder gives nothing else here
	at := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	if at < 0 {
		return badRequest("unknown field %q: allowed are %s", clip(name), names(fields))
	}
	if seen[name] {
		return badRequest("%s: stands there twice", name)
	}
	seen[name] = true
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		if tooDeep(err) {
			err = inField(name, errNested)
		} else {
			err = notJSON(err)
		}
		return err
	}
	if string(raw) == "null" && !fields[at].null {
		return nil
	}
	if err := fields[at].set(raw); err != nil {
		return inField(name, err)
	}
	return nil
}

// inField puts the field's name before what is wrong with it.
func inField(name string, err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return &failure{f.status, f.code, name + ": " + f.message}
	}
	return badRequest("%s: %s", name, plain.Text(err))
}

// errNested says what is allowed.
var errNested = fmt.Errorf("want JSON in UTF-8 nested %d levels at most", bus.MaxNesting)

// tooDeep reports nesting of which encoding/json alone had enough, at 10,000 levels.
func tooDeep(err error) bool {
	bad, ok := errors.AsType[*json.SyntaxError](err)
	return ok && strings.HasSuffix(bad.Error(), "exceeded max depth")
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badRequest("the body is not valid JSON: it ends too early")
	}
	return badRequest("the body is not valid JSON: %v", err)
}

func names(fields []field) string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.name
	}
	return strings.Join(all, ", ")
}

// text takes a string.
func text(to *string) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		if raw[0] != '"' {
			return errors.New("want a string")
		}
		return json.Unmarshal(raw, to)
	}
}

// flag takes true or false.
func flag(to *bool) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		switch string(raw) {
		case "true", "false":
			*to = string(raw) == "true"
			return nil
		}
		return errors.New("want true or false")
	}
}

// whole takes a whole number between the two, both allowed, however it is written: 5000, 5000.0 or 5e3.
func whole(to *int, least, most int) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || f != math.Trunc(f) || f < float64(least) || f > float64(most) {
			return errors.New(wantWhole(least, most))
		}
		*to = int(f)
		return nil
	}
}

func wantWhole(least, most int) string {
	return fmt.Sprintf("want a whole number from %d to %d", least, most)
}

// parsed takes a string that parse can read.
func parsed[T any](to *T, parse func(string) (T, error)) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		var s string
		err := text(&s)(raw)
		if err == nil {
			*to, err = parse(s)
		}
		return err
	}
}
