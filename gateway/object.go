package gateway

import (
	"encoding/binary"
	"encoding/json"
	"strconv"

	"github.com/tinylib/msgp/msgp"

	"github.com/ackbus/ackbus/bus"
)

// headroom is left free before the payload of a sealed object: the largest header of an unmasked WebSocket frame.
const headroom = 10

// An object is one frame to a client while it is being written, field by field, in JSON or msgpack. It is not
// reflected from a struct because messages are on the fast path, and so that one definition serves both forms.
type object struct {
	format bus.Format
	fields byte // at most 15, what msgpack's shortest map header holds
	buf    []byte
}

// newObject begins a frame of the type; size is a guess at its length.
func newObject(format bus.Format, kind string, size int) object {
	o := object{format: format, buf: make([]byte, headroom+1, headroom+size+24)}
	if format == bus.FormatJSON {
		o.buf[headroom] = '{'
	}
	o.text("type", kind)
	return o
}

func (o *object) key(name string) {
	if o.format == bus.FormatMsgpack {
		o.buf = msgp.AppendString(o.buf, name)
	} else {
		if o.fields > 0 {
			o.buf = append(o.buf, ',')
		}
		o.buf = append(o.buf, '"')
		o.buf = append(o.buf, name...)
		o.buf = append(o.buf, '"', ':')
	}
	o.fields++
}

func (o *object) text(name, value string) {
	o.key(name)
	o.appendText(value)
}

func (o *object) appendText(value string) {
	if o.format == bus.FormatMsgpack {
		o.buf = msgp.AppendString(o.buf, value)
	} else {
		o.buf = appendJSONText(o.buf, value)
	}
}

func (o *object) number(name string, value int64) {
	o.key(name)
	if o.format == bus.FormatMsgpack {
		o.buf = msgp.AppendInt64(o.buf, value)
	} else {
		o.buf = strconv.AppendInt(o.buf, value, 10)
	}
}

func (o *object) flag(name string, value bool) {
	o.key(name)
	if o.format == bus.FormatMsgpack {
		o.buf = msgp.AppendBool(o.buf, value)
	} else {
		o.buf = strconv.AppendBool(o.buf, value)
	}
}

func (o *object) texts(name string, values []string) {
	o.key(name)
	if o.format == bus.FormatMsgpack {
		o.buf = msgp.AppendArrayHeader(o.buf, uint32(len(values)))
	} else {
		o.buf = append(o.buf, '[')
	}
	for i, v := range values {
		if i > 0 && o.format == bus.FormatJSON {
			o.buf = append(o.buf, ',')
		}
		o.appendText(v)
	}
	if o.format == bus.FormatJSON {
		o.buf = append(o.buf, ']')
	}
}

// raw takes a value that is encoded in the object's format already.
func (o *object) raw(name string, value []byte) {
	o.key(name)
	o.buf = append(o.buf, value...)
}

// sealed ends the object. Around the payload stand the header of a WebSocket frame and a newline, so that one copy
// serves sockets of both carriers: see asWebSocket and asLine.
func (o *object) sealed() []byte {
	opcode := byte(opText)
	if o.format == bus.FormatMsgpack {
		o.buf[headroom] = 0x80 | o.fields
		opcode = opBinary
	} else {
		o.buf = append(o.buf, '}')
	}
	n := len(o.buf) - headroom
	putHeader(o.buf[headroom-headerLen(n):headroom], opcode, n)
	return append(o.buf, '\n')
}

// asWebSocket is the frame within a sealed object.
func asWebSocket(sealed []byte) []byte {
	n := len(sealed) - headroom - 1
	return sealed[headroom-headerLen(n) : headroom+n]
}

// asLine is the line within a sealed object.
func asLine(sealed []byte) []byte { return sealed[headroom:] }

// headerLen is how long the header of an unmasked frame of n bytes is (RFC 6455, section 5.2).
func headerLen(n int) int {
	switch {
	case n <= 125:
		return 2
	case n <= 0xffff:
		return 4
	}
	return 10
}

// putHeader fills h, of the right length, with the header of a final frame.
func putHeader(h []byte, opcode byte, n int) {
	h[0] = 0x80 | opcode
	switch len(h) {
	case 2:
		h[1] = byte(n)
	case 4:
		h[1] = 126
		binary.BigEndian.PutUint16(h[2:], uint16(n))
	default:
		h[1] = 127
		binary.BigEndian.PutUint64(h[2:], uint64(n))
	}
}

// appendJSONText quotes text; only what needs escaping takes the slow way, which also mends what is not UTF-8.
func appendJSONText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // can't be, for a string
				quoted = []byte(`""`)
			}
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
