package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/ackbus/ackbus/bus"
)

// An encoder is used again, with its buffer.
type encoder struct {
	buf     bytes.Buffer
	msgpack *msgpack.Encoder
}

// A decoder is used again.
type decoder struct {
	reader  bytes.Reader
	msgpack *msgpack.Decoder
}

var (
	encoders = sync.Pool{New: func() any { return &encoder{msgpack: msgpack.NewEncoder(nil)} }}
	decoders = sync.Pool{New: func() any { return &decoder{msgpack: msgpack.NewDecoder(nil)} }}
)

// keptBuffer is how many bytes an encoder keeps for its next use.
const keptBuffer = 64 << 10

// encode makes the body of an argument or a result: msgpack where that is asked for and can hold the value, else JSON. A bus.Body stays
// what it is.
func encode(v any, f bus.Format) bus.Body {
	if body, ok := v.(bus.Body); ok {
		return body
	}
	if f == bus.FormatMsgpack {
		if body, err := packed(v); err == nil {
			return body // msgpack has no form for a time.Time, say
		}
	}
	return bus.JSON(v) // what neither can hold, its body tells
}

// packed encodes v as msgpack under the names that JSON has.
func packed(v any) (bus.Body, error) {
	e := encoders.Get().(*encoder)
	e.buf.Reset()
	e.msgpack.Reset(&e.buf)
	e.msgpack.SetCustomStructTag("json")
	e.msgpack.UseCompactInts(true)
	err := e.msgpack.Encode(v)
	p := slices.Clone(e.buf.Bytes())
	if e.buf.Cap() <= keptBuffer {
		encoders.Put(e)
	}
	if err != nil {
		return bus.Body{}, err
	}
	return bus.Encoded(bus.FormatMsgpack, p)
}

// decode reads an argument or a result into v, a pointer. No body leaves v as it is.
func decode(body bus.Body, v any) error {
	if to, ok := v.(*bus.Body); ok {
		*to = body
		return body.Err()
	}
	if body.Format() != bus.FormatMsgpack {
		return body.Decode(v)
	}
	if _, err := bus.Encoded(bus.FormatMsgpack, body.Raw()); err != nil { // what msgpack does with hostile lengths is not to be risked
		return err
	}
	if err := unpack(body.Raw(), v, true); err != nil {
		return err
	}
	return checkIntegers(body.Raw(), v)
}

// unpack decodes well-formed msgpack under the names that JSON has; loosely, integers become 64 bits wide in an interface, and bytes text.
// The library panics over some, such as a map that has the key of an interface twice; and what comes from outside must not end a process.
func unpack(p []byte, v any, loosely bool) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("%w: msgpack: %v", bus.ErrBody, panicked)
		}
	}()
	d := decoders.Get().(*decoder)
	d.reader.Reset(p)
	d.msgpack.Reset(&d.reader)
	d.msgpack.SetCustomStructTag("json")
	d.msgpack.UseLooseInterfaceDecoding(loosely)
	err = d.msgpack.Decode(v)
	d.reader.Reset(nil)
	decoders.Put(d)
	return err
}

// badArgument is the error for an argument that does not fit into a zero value of what v points to. JSON names the field
// that is wrong, so msgpack is looked at as JSON for it.
func badArgument(body bus.Body, v any, err error) *Error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok && body.Format() == bus.FormatMsgpack {
		wrong = misfit(body.Raw(), v)
	}
	if wrong != nil {
		return &Error{Code: CodeBadRequest, Message: wrongType(wrong), Details: map[string]string{"field": wrong.Field}, Cause: err}
	}
	return &Error{Code: CodeBadRequest, Message: fmt.Sprintf("the argument can't be read: %v", err), Cause: err}
}

func wrongType(wrong *json.UnmarshalTypeError) string {
	if wrong.Field == "" {
		return fmt.Sprintf("the argument is %s, want %s", wrong.Value, wrong.Type)
	}
	return fmt.Sprintf("field %q of the argument is %s, want %s", wrong.Field, wrong.Value, wrong.Type)
}
