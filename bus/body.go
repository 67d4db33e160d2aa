package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// A Format says how the bytes of a Body are to be read.
type Format uint8

// The formats of a Body.
const (
	FormatNone    Format = iota // no body: null to a client
	FormatJSON                  // one JSON value
	FormatMsgpack               // one msgpack value
	FormatRaw                   // bytes that mean nothing to the bus
)

// ErrBody is wrapped by every error about a body that can't be encoded, decoded or translated.
var ErrBody = errors.New("bus: bad body")

// A Body is the content of a message or of a reply: a JSON value, a msgpack value, or raw bytes. The zero Body is none.
// A value that can't be encoded makes a Body whose error surfaces where it is sent.
type Body struct {
	format Format
	bytes  []byte
	err    error
}

// JSON encodes v as JSON.
func JSON(v any) Body {
	p, err := json.Marshal(v)
	if err != nil {
		return Body{err: fmt.Errorf("%w: JSON: %w", ErrBody, err)}
	}
	return Body{format: FormatJSON, bytes: p}
}

// Msgpack encodes v as msgpack.
func Msgpack(v any) Body {
	p, err := msgpack.Marshal(v)
	if err != nil {
		return Body{err: fmt.Errorf("%w: msgpack: %w", ErrBody, err)}
	}
	b := Body{format: FormatMsgpack, bytes: p}
	if err := b.check(); err != nil { // a time.Time, say, is an extension type, and every receiver would refuse it
		return Body{err: err}
	}
	return b
}

// Bytes is a raw body. The slice is not copied and must not be changed afterwards.
func Bytes(p []byte) Body { return Body{format: FormatRaw, bytes: p} }

// Encoded is a body that is encoded already, checked for well-formedness and for at most MaxNesting levels. The slice is
// not copied and must not be changed afterwards.
func Encoded(f Format, p []byte) (Body, error) {
	b := Body{format: f, bytes: p}
	if err := b.check(); err != nil {
		return Body{}, err
	}
	return b, nil
}

// Format says how the bytes are to be read.
func (b Body) Format() Format { return b.format }

// Raw is the encoded form. It must not be changed.
func (b Body) Raw() []byte { return b.bytes }

// IsZero reports whether there is no body.
func (b Body) IsZero() bool { return b.format == FormatNone && b.err == nil }

// Err is the error of an encoding that failed.
func (b Body) Err() error { return b.err }

// Decode reads the body into v, a pointer. A raw body decodes into *[]byte (a copy) alone; no body leaves v as it is.
// Errors wrap ErrBody.
func (b Body) Decode(v any) error {
	if b.err != nil {
		return b.err
	}
	if err := b.check(); err != nil {
		return err
	}
	var err error
	switch b.format {
	case FormatNone:
	case FormatJSON:
		err = json.Unmarshal(b.bytes, v)
	case FormatMsgpack:
		err = unmarshalMsgpack(b.bytes, v)
	case FormatRaw:
		p, ok := v.(*[]byte)
		if !ok {
			return fmt.Errorf("%w: raw bytes decode into *[]byte, not %T", ErrBody, v)
		}
		*p = bytes.Clone(b.bytes)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBody, err)
	}
	return nil
}

// unmarshalMsgpack turns a panic of the library into an error: it panics on a key that comes twice for a field of an interface type.
func unmarshalMsgpack(p []byte, v any) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("msgpack does not fit into %T: %v", v, panicked)
		}
	}()
	return msgpack.Unmarshal(p, v)
}

// MarshalJSON gives the body as JSON: a JSON body as it is, msgpack translated, raw bytes as {"base64":"…"}, none as null.
func (b Body) MarshalJSON() ([]byte, error) { return b.AsJSON() }
