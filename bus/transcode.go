package bus

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// AsJSON gives the body as one JSON value: JSON as it is, msgpack translated, raw bytes and msgpack's bin as
// {"base64":"…"}, none as null. It must not be changed. Integers and the text of map keys stay exact, text that is not UTF-8
// is mended. Errors wrap ErrBody: JSON has no NaN, no infinity, and no map keys but text, integers and booleans.
func (b Body) AsJSON() (json.RawMessage, error) {
	if b.err != nil {
		return nil, b.err
	}
	switch b.format {
	case FormatNone:
		return json.RawMessage("null"), nil
	case FormatJSON:
		return b.bytes, nil
	case FormatRaw:
		return appendBase64(nil, b.bytes), nil
	default:
		return b.translate("msgpack to JSON", appendJSON)
	}
}

// AsMsgpack gives the body as one msgpack value: msgpack as it is, JSON translated, raw bytes as bin, none as nil. It must not
// be changed. Integers stay integers where 64 bits hold them, other numbers become float64. Errors wrap ErrBody: a number
// may be too large for a float64.
func (b Body) AsMsgpack() ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	switch b.format {
	case FormatNone:
		return msgp.AppendNil(nil), nil
	case FormatMsgpack:
		return b.bytes, nil
	case FormatRaw:
		return msgp.AppendBytes(nil, b.bytes), nil
	default:
		return b.translate("JSON to msgpack", appendMsgpack)
	}
}

// translate checks the body, so that the translation may rely on it.
func (b Body) translate(what string, next func(dst, src []byte) (out, rest []byte, err error)) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	p, _, err := next(make([]byte, 0, len(b.bytes)+len(b.bytes)/2+8), b.bytes)
	if err != nil {
		return nil, bodyError(what, err)
	}
	return p, nil
}

// appendJSON translates the next value of checked msgpack. Its depth is bounded by the check.
func appendJSON(dst, src []byte) (out, rest []byte, err error) {
	switch kind := msgp.NextType(src); kind {
	case msgp.MapType:
		n, rest, err := msgp.ReadMapHeaderBytes(src)
		if err != nil {
			return nil, nil, err
		}
		return appendObject(dst, rest, n)
	case msgp.ArrayType:
		n, rest, err := msgp.ReadArrayHeaderBytes(src)
		if err != nil {
			return nil, nil, err
		}
		return appendArray(dst, rest, n)
	case msgp.StrType:
		s, rest, err := msgp.ReadStringZC(src)
		return appendQuoted(dst, s), rest, err
	case msgp.BinType:
		p, rest, err := msgp.ReadBytesZC(src)
		return appendBase64(dst, p), rest, err
	case msgp.Float32Type:
		f, rest, err := msgp.ReadFloat32Bytes(src)
		return appendFloat(dst, float64(f), 32, rest, err)
	case msgp.Float64Type:
		f, rest, err := msgp.ReadFloat64Bytes(src)
		return appendFloat(dst, f, 64, rest, err)
	case msgp.NilType:
		rest, err := msgp.ReadNilBytes(src)
		return append(dst, "null"...), rest, err
	default:
		return appendPlain(dst, src, kind)
	}
}

// appendPlain translates what reads the same as a value and, between quotes, as a key.
func appendPlain(dst, src []byte, kind msgp.Type) (out, rest []byte, err error) {
	switch kind {
	case msgp.IntType:
		n, rest, err := msgp.ReadInt64Bytes(src)
		return strconv.AppendInt(dst, n, 10), rest, err
	case msgp.UintType:
		n, rest, err := msgp.ReadUint64Bytes(src)
		return strconv.AppendUint(dst, n, 10), rest, err
	case msgp.BoolType:
		t, rest, err := msgp.ReadBoolBytes(src)
		return strconv.AppendBool(dst, t), rest, err
	default:
		return nil, nil, fmt.Errorf("no translation for %v", kind)
	}
}

func appendArray(dst, src []byte, n uint32) (out, rest []byte, err error) {
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, src, err = appendJSON(dst, src); err != nil {
			return nil, nil, err
		}
	}
	return append(dst, ']'), src, nil
}

func appendObject(dst, src []byte, n uint32) (out, rest []byte, err error) {
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, src, err = appendKey(dst, src); err != nil {
			return nil, nil, err
		}
		if dst, src, err = appendJSON(append(dst, ':'), src); err != nil {
			return nil, nil, err
		}
	}
	return append(dst, '}'), src, nil
}

func appendKey(dst, src []byte) (out, rest []byte, err error) {
	switch kind := msgp.NextType(src); kind {
	case msgp.StrType:
		return appendJSON(dst, src)
	case msgp.IntType, msgp.UintType, msgp.BoolType:
		dst, src, err = appendPlain(append(dst, '"'), src, kind)
		return append(dst, '"'), src, err
	default:
		return nil, nil, fmt.Errorf("a map's key is %v, and JSON has text alone", kind)
	}
}

// appendFloat writes floats as encoding/json does: float32 with as few digits as tell it from other float32s.
func appendFloat(dst []byte, f float64, bits int, rest []byte, err error) ([]byte, []byte, error) {
	if err != nil {
		return nil, nil, err
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, nil, fmt.Errorf("JSON has no %v", f)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits), rest, nil
}

func appendBase64(dst, p []byte) []byte {
	dst = base64.StdEncoding.AppendEncode(append(dst, `{"base64":"`...), p)
	return append(dst, `"}`...)
}

// appendQuoted writes s as a JSON string, and U+FFFD for each byte that is not UTF-8.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if c >= utf8.RuneSelf && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		dst = append(dst, s[done:i]...)
		switch {
		case c >= utf8.RuneSelf:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		case c < ' ':
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, '\\', c)
		}
		i++
		done = i
	}
	return append(append(dst, s[done:]...), '"')
}

// appendMsgpack translates the next value of checked JSON, so it looks for no fault. Its depth is bounded by the check.
func appendMsgpack(dst, src []byte) (out, rest []byte, err error) {
	src = skipSpace(src)
	switch src[0] {
	case '{', '[':
		return appendContainer(dst, src)
	case '"':
		return appendText(dst, src)
	case 'n':
		return msgp.AppendNil(dst), src[len("null"):], nil
	case 't':
		return msgp.AppendBool(dst, true), src[len("true"):], nil
	case 'f':
		return msgp.AppendBool(dst, false), src[len("false"):], nil
	}
	return appendNumber(dst, src)
}

// appendContainer translates an array or an object. Msgpack wants the count first, so the header is inserted once the content
// is counted.
func appendContainer(dst, src []byte) (out, rest []byte, err error) {
	object := src[0] == '{'
	at := len(dst)
	n := uint32(0)
	for src = skipSpace(src[1:]); src[0] != ']' && src[0] != '}'; src = skipSpace(src) {
		if src[0] == ',' {
			src = src[1:]
		}
		if object {
			if dst, src, err = appendText(dst, skipSpace(src)); err != nil {
				return nil, nil, err
			}
			src = skipSpace(src)[1:] // the colon
		}
		if dst, src, err = appendMsgpack(dst, src); err != nil {
			return nil, nil, err
		}
		n++
	}
	var room [5]byte
	header := msgp.AppendArrayHeader(room[:0], n)
	if object {
		header = msgp.AppendMapHeader(room[:0], n)
	}
	return slices.Insert(dst, at, header...), src[1:], nil
}

func appendText(dst, src []byte) (out, rest []byte, err error) {
	end := 1 + bytes.IndexByte(src[1:], '"')
	if bytes.IndexByte(src[1:end], '\\') < 0 {
		return msgp.AppendStringFromBytes(dst, src[1:end]), src[end+1:], nil
	}
	for end = 1; src[end] != '"'; end++ {
		if src[end] == '\\' {
			end++
		}
	}
	var s string
	err = json.Unmarshal(src[:end+1], &s)
	return msgp.AppendString(dst, s), src[end+1:], err
}

func appendNumber(dst, src []byte) (out, rest []byte, err error) {
	end := bytes.IndexAny(src, ",]} \t\r\n")
	if end < 0 {
		end = len(src)
	}
	text, rest := string(src[:end]), src[end:]
	if !strings.ContainsAny(text, ".eE") && text != "-0" { // no integer is -0
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return msgp.AppendInt64(dst, n), rest, nil
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return msgp.AppendUint64(dst, n), rest, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, nil, errors.New("a number is too large for a float64")
	}
	return msgp.AppendFloat64(dst, f), rest, nil
}

func skipSpace(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t' || p[0] == '\r' || p[0] == '\n') {
		p = p[1:]
	}
	return p
}
