package gateway

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"

	"github.com/ackbus/ackbus/bus"
)

var (
	errShort    = errors.New("the msgpack ends too early or is malformed")
	errTrailing = errors.New("bytes follow the frame")
	errNesting  = errors.New("nested too deep")
	errExtended = errors.New("msgpack extension types are not allowed")
	errNumber   = errors.New("NaN and infinities are not allowed: JSON has no such numbers")
	errNotUTF8  = errors.New("a string is not valid UTF-8")
)

// decodeMsgpack reads a frame from msgpack. It believes no length that it reads: each element costs the sender a byte at
// least, and nothing is allocated but what is there.
func decodeMsgpack(p []byte, f *frame) error {
	if msgp.NextType(p) != msgp.MapType {
		return errNotObject
	}
	n, rest, err := msgp.ReadMapHeaderBytes(p)
	if err != nil {
		return errShort
	}
	for range n {
		var key []byte
		if key, rest, err = msgp.ReadMapKeyZC(rest); err != nil {
			return errShort
		}
		value := rest
		if rest, err = skipMsgpack(rest, 0); err != nil {
			return within(string(key), err)
		}
		if err = f.set(string(key), value[:len(value)-len(rest)]); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		return errTrailing
	}
	return nil
}

// within names the field whose value is no good. Where the frame ends too early none is to blame.
func within(key string, err error) error {
	if errors.Is(err, errShort) {
		return err
	}
	return inField(clip(key), err)
}

// skipMsgpack returns what follows the next value. A bare value is at level 0.
func skipMsgpack(p []byte, level int) ([]byte, error) {
	var n uint32
	var rest []byte
	var err error
	each := 1
	switch msgp.NextType(p) {
	case msgp.ArrayType:
		n, rest, err = msgp.ReadArrayHeaderBytes(p)
	case msgp.MapType:
		n, rest, err = msgp.ReadMapHeaderBytes(p)
		each = 2
	case msgp.Float32Type, msgp.Float64Type:
		return skipFloat(p)
	case msgp.StrType:
		return skipText(p)
	case msgp.BinType, msgp.IntType, msgp.UintType, msgp.BoolType, msgp.NilType:
		rest, err = msgp.Skip(p)
	case msgp.InvalidType:
		return nil, errShort
	default:
		return nil, errExtended
	}
	if err != nil {
		return nil, errShort
	}
	if n > 0 && level >= bus.MaxNesting {
		return nil, errNesting
	}
	for range each {
		for range n {
			if rest, err = skipMsgpack(rest, level+1); err != nil {
				return nil, err
			}
		}
	}
	return rest, nil
}

// skipFloat refuses what a client of JSON could not be told.
func skipFloat(p []byte) ([]byte, error) {
	f, rest, err := msgp.ReadFloat64Bytes(p) // takes both widths
	switch {
	case err != nil:
		return nil, errShort
	case math.IsNaN(f) || math.IsInf(f, 0):
		return nil, errNumber
	}
	return rest, nil
}

func skipText(p []byte) ([]byte, error) {
	text, rest, err := msgp.ReadStringZC(p)
	switch {
	case err != nil:
		return nil, errShort
	case !utf8.Valid(text):
		return nil, errNotUTF8
	}
	return rest, nil
}

// set takes one field. p is exactly one value, whole and bounded. Unknown fields are ignored.
func (f *frame) set(key string, p []byte) error {
	if msgp.NextType(p) == msgp.NilType {
		return nil // as if it were not there
	}
	var err error
	switch key {
	case "ref":
		f.Ref, err = msgpackRef(p)
	case "data":
		f.Body, err = bus.Encoded(bus.FormatMsgpack, bytes.Clone(p))
		err = inField(key, err)
	case "receipt":
		f.Receipt, _, err = msgp.ReadBoolBytes(p)
		err = wrongType(key, err)
	case "timeout_ms":
		f.Timeout, err = msgpackWhole(p)
	case "groups":
		f.Groups, err = msgpackTexts(key, p)
	default:
		if into := f.textField(key); into != nil {
			*into, _, err = msgp.ReadStringBytes(p)
			err = wrongType(key, err)
		}
	}
	return err
}

func (f *frame) textField(key string) *string {
	switch key {
	case "type":
		return &f.Type
	case "id":
		return &f.ID
	case "code":
		return &f.Code
	case "message":
		return &f.Message
	case "token":
		return &f.Token
	case "user":
		return &f.User
	case "group":
		return &f.Group
	case "method":
		return &f.Method
	case "to":
		return &f.To
	case "event":
		return &f.Event
	}
	return nil
}

func wrongType(key string, err error) error {
	if err != nil {
		return errType(key)
	}
	return nil
}

// msgpackWhole reads a whole number, in whatever type of number the client has it. Its error is that of the one field with such a number.
func msgpackWhole(p []byte) (int64, error) {
	if t := msgp.NextType(p); t == msgp.Float32Type || t == msgp.Float64Type {
		f, _, err := msgp.ReadFloat64Bytes(p)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return 0, errTimeout
		}
		return int64(f), nil
	}
	n, _, err := msgp.ReadInt64Bytes(p)
	if err != nil {
		return 0, errTimeout
	}
	return n, nil
}

func msgpackTexts(key string, p []byte) ([]string, error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(p)
	if err != nil {
		return nil, wrongType(key, err)
	}
	var texts []string
	for range n {
		var text string
		if text, rest, err = msgp.ReadStringBytes(rest); err != nil {
			return nil, wrongType(key, err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func msgpackRef(p []byte) ([]byte, error) {
	allowed := []msgp.Type{msgp.StrType, msgp.IntType, msgp.UintType, msgp.Float32Type, msgp.Float64Type}
	if len(p) > maxRef || !slices.Contains(allowed, msgp.NextType(p)) {
		return nil, errRef
	}
	return bytes.Clone(p), nil
}
