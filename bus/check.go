package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// MaxNesting is how many levels JSON and msgpack from outside may nest: a bare value has none, an empty array one.
const MaxNesting = 64

// Why a body from outside is refused.
var (
	errNesting   = fmt.Errorf("nested more than %d levels deep", MaxNesting)
	errJSON      = errors.New("not one valid JSON value")
	errUTF8      = errors.New("not valid UTF-8")
	errShort     = errors.New("it ends too early")
	errTrailing  = errors.New("bytes follow the value")
	errExtension = errors.New("extension types, timestamps included, are not allowed: send text or a number")
	errKey       = errors.New("a map's key is an array, a map or bytes")
	errInvalid   = errors.New("a byte that begins no value")
)

// check reports whether the body is one well-formed value, nested MaxNesting levels at most. Raw bytes always are.
func (b Body) check() error {
	switch {
	case b.err != nil:
		return b.err
	case b.format == FormatJSON:
		return bodyError("JSON", checkJSON(b.bytes))
	case b.format == FormatMsgpack:
		return bodyError("msgpack", checkMsgpack(b.bytes))
	case b.format == FormatNone && len(b.bytes) > 0:
		return fmt.Errorf("%w: %d bytes without a format", ErrBody, len(b.bytes))
	case b.format > FormatRaw:
		return fmt.Errorf("%w: unknown format %d", ErrBody, b.format)
	}
	return nil
}

func bodyError(format string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrBody, format, err)
}

// checkJSON asks for UTF-8 beyond what encoding/json does (RFC 8259, section 8.1): a WebSocket client must fail a
// connection over a text frame with anything else (RFC 6455, section 8.1).
func checkJSON(p []byte) error {
	switch {
	case nestedJSON(p):
		return errNesting
	case !json.Valid(p):
		return errJSON
	case !utf8.Valid(p):
		return errUTF8
	}
	return nil
}

// nestedJSON reports whether p nests too deep. It counts brackets outside strings and leaves all else to json.Valid.
func nestedJSON(p []byte) bool {
	if len(p) <= 2*MaxNesting {
		return false // each level takes two brackets
	}
	depth := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '"':
			for i++; i < len(p) && p[i] != '"'; i++ {
				if p[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			if depth++; depth > MaxNesting {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

// A nesting is an array or a map and how many values are still to come of it; a map counts its keys too.
type nesting struct {
	kind msgp.Type // of a scalar: InvalidType
	left uint64
}

// checkMsgpack walks over one value without recursion and without believing a length: msgpack decoders allocate by the
// lengths that they read and recurse as deep as the sender likes.
func checkMsgpack(p []byte) error {
	var few [8]nesting // on the stack; most values nest no deeper
	levels := append(few[:0], nesting{left: 1})
	for {
		at := &levels[len(levels)-1]
		if at.left == 0 {
			levels = levels[:len(levels)-1]
			switch {
			case len(levels) > 0:
				continue
			case len(p) > 0:
				return errTrailing
			}
			return nil
		}
		asKey := at.kind == msgp.MapType && at.left%2 == 0
		at.left--
		inner, rest, err := stepMsgpack(p, asKey)
		if err != nil {
			return err
		}
		p = rest
		if inner.kind == msgp.InvalidType {
			continue
		}
		if len(levels) > MaxNesting {
			return errNesting
		}
		levels = append(levels, inner)
	}
}

// stepMsgpack reads one scalar, or the header of an array or a map, whose content is the nesting that it returns.
func stepMsgpack(p []byte, asKey bool) (inner nesting, rest []byte, err error) {
	if len(p) == 0 {
		return nesting{}, nil, errShort
	}
	var n uint32
	kind := msgp.NextType(p)
	switch kind {
	case msgp.ArrayType:
		n, rest, err = msgp.ReadArrayHeaderBytes(p)
		inner = nesting{kind, uint64(n)}
	case msgp.MapType:
		n, rest, err = msgp.ReadMapHeaderBytes(p)
		inner = nesting{kind, 2 * uint64(n)}
	case msgp.StrType, msgp.BinType, msgp.IntType, msgp.UintType, msgp.Float32Type, msgp.Float64Type, msgp.BoolType, msgp.NilType:
		rest, err = msgp.Skip(p)
	case msgp.InvalidType:
		return nesting{}, nil, errInvalid
	default:
		return nesting{}, nil, errExtension
	}
	switch {
	case err != nil || inner.left > uint64(len(rest)): // what is to come has a byte each, at least
		return nesting{}, nil, errShort
	case asKey && (kind == msgp.ArrayType || kind == msgp.MapType || kind == msgp.BinType):
		return nesting{}, nil, errKey // decoded into map[any]any it would panic: not hashable
	}
	return inner, rest, nil
}
