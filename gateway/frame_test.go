package gateway

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
)

const someID = "01930000-0000-7000-8000-000000000001"

// encodeFrame gives a client's frame in the format.
func encodeFrame(tb testing.TB, format bus.Format, f any) []byte {
	tb.Helper()
	marshal := json.Marshal
	if format == bus.FormatMsgpack {
		marshal = msgpack.Marshal
	}
	p, err := marshal(f)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

var formats = []bus.Format{bus.FormatJSON, bus.FormatMsgpack}

func TestDecode(t *testing.T) {
	for _, format := range formats {
		for _, test := range []struct {
			in   fields
			want frame
		}{
			{fields{"type": "hello", "user": "42", "groups": []string{"a", "b"}, "token": nil},
				frame{Type: "hello", User: "42", Groups: []string{"a", "b"}}},
			{fields{"type": "ack", "id": someID}, frame{Type: "ack", ID: someID}},
			{fields{"type": "nack", "id": "x", "code": "c", "message": "mé\n"},
				frame{Type: "nack", ID: "x", Code: "c", Message: "mé\n"}},
			{fields{"type": "join", "group": "g", "unknown": fields{"a": []int{1}}},
				frame{Type: "join", Group: "g", address: bus.Group("g")}},
			{fields{"type": "send", "to": "topic:chat.42", "event": "e", "receipt": true, "timeout_ms": 600_000},
				frame{Type: "send", To: "topic:chat.42", Event: "e", Receipt: true, Timeout: 600_000, address: bus.Topic("chat.42")}},
			{fields{"type": "call", "method": "m", "timeout_ms": 0}, frame{Type: "call", Method: "m"}},
			{fields{"type": "ping", "ref": nil}, frame{Type: "ping"}},
		} {
			if kind := test.in["type"]; kind == "join" || kind == "send" || kind == "call" {
				test.in["ref"] = "r"
				test.want.Ref = encodeFrame(t, format, "r")
			}
			var got frame
			if err := decode(format, encodeFrame(t, format, test.in), &got); err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v: %v decodes as %+v, %v", format, test.in, got, err)
			}
		}
	}
}

// What is refused is refused in one line that names the field.
func TestDecodeRefuses(t *testing.T) {
	send := func(field string, value any) fields {
		f := fields{"type": "send", "ref": "r", "to": "all", "event": "e"}
		if f[field] = value; value == nil {
			delete(f, field)
		}
		return f
	}
	for _, format := range formats {
		for _, c := range []struct {
			in   any
			word string
		}{
			{nil, "object"}, {1, "object"}, {"text", "object"}, {[]int{1}, "object"}, {fields{}, "type"}, {fields{"type": 1}, "type"},
			{fields{"type": "ack"}, "id"}, {fields{"type": "ack", "id": 7}, "id"}, {fields{"type": "fly"}, `"fly"`},
			{fields{"type": "join", "ref": "r"}, "group"}, {fields{"type": "join", "group": "g"}, "ref"},
			{fields{"type": "join", "ref": "r", "group": "\n"}, "group: "},
			{send("ref", nil), "ref"}, {send("to", nil), "to"}, {send("to", "x"), "to: bad address"}, {send("event", nil), "event"},
			{send("event", strings.Repeat("x", 256)), "event must have 1 to 255"}, {send("event", "a\nb"), "without control characters"},
			{send("event", "a\u0085"), "without control characters"}, {send("receipt", "yes"), "receipt"},
			{send("data", nested(65)), "data: "}, {send("timeout_ms", 600_001), "timeout_ms"},
			{fields{"type": "call", "ref": "r", "method": "m", "timeout_ms": -1}, "timeout_ms"},
			{fields{"type": "call", "ref": []int{1}, "method": "m"}, "ref"}, {fields{"type": "call", "ref": "r"}, "method"},
			{fields{"type": "ping", "ref": strings.Repeat("x", 300)}, "ref"}, {fields{"type": "hello", "groups": "g"}, "groups"},
			{fields{"type": "hello", "groups": []any{"a", 1}}, "groups"}, {fields{"type": "ack", "id": someID, "data": nested(64 + 1)}, ""},
		} {
			var f frame
			err := decode(format, encodeFrame(t, format, c.in), &f)
			if err == nil || !strings.Contains(plain.Text(err), c.word) {
				t.Errorf("%v: %v: %+v, %v, want an error about %q", format, c.in, f, err, c.word)
			}
		}
		var f frame
		if err := decode(format, encodeFrame(t, format, fields{"type": "ack", "id": someID, "data": nested(64)}), &f); err != nil {
			t.Errorf("%v: data of 64 levels: %v", format, err)
		}
	}
}

// nested is an array in an array and so on.
func nested(levels int) any {
	var v any = []any{}
	for range levels - 1 {
		v = []any{v}
	}
	return v
}

// TestDecodeKeepsNothing overwrites the buffer that a frame was read from, as the next frame does.
func TestDecodeKeepsNothing(t *testing.T) {
	for _, format := range formats {
		for _, in := range []fields{
			{"type": "ack", "id": someID, "data": "reply"}, {"type": "ping", "ref": "ref", "data": "reply", "user": "user"},
		} {
			p := encodeFrame(t, format, in)
			var f, again frame
			if err := decode(format, p, &f); err != nil {
				t.Fatal(err)
			}
			if err := decode(format, bytes.Clone(p), &again); err != nil {
				t.Fatal(err)
			}
			for i := range p {
				p[i] = 0xff
			}
			if !reflect.DeepEqual(f, again) {
				t.Errorf("%v: the frame changed with its buffer: %+v", format, f)
			}
		}
	}
}

// TestAckShape holds the short way against the general one.
func TestAckShape(t *testing.T) {
	for in, short := range map[string]bool{
		`{"type":"ack","id":"` + someID + `"}`:                                 true,
		`{"type":"ack","id":"` + someID + `","data":{"ok":true}}`:              true,
		`{"type":"ack","id":"` + someID + `","data": [1] }`:                    true,
		`{"type":"ack","id":"` + someID + `","data":{"a":1},"x":{"b":2}}`:      false,
		`{"type":"ack","id":"` + someID + `","data":1,"data":2}`:               false,
		`{"type":"ack","id":"` + someID + `","extra":1}`:                       false,
		`{"type":"ack","id":"` + someID + `","data":}`:                         false,
		`{"type":"ack","id":"` + someID + `","data":"` + "\xff" + `"}`:         false,
		`{"type":"ack","id":"` + strings.ToUpper(someID[:35]) + `F","data":1}`: false,
		`{"id":"` + someID + `","type":"ack"}`:                                 false,
		`{"type":"ack","id":"\u0061` + someID[6:] + `","data":1}`:              false,
	} {
		var f frame
		if got := ackJSON([]byte(in), &f); got != short {
			t.Errorf("%s: took the short way: %t", in, got)
		}
		if short && (f.Type != "ack" || f.ID != someID || f.check() != nil) {
			t.Errorf("%s decodes as %+v", in, f)
		}
	}
}

func TestHostileMsgpack(t *testing.T) {
	for name, p := range map[string][]byte{
		"an array of 4 billion":         {0xdd, 0xff, 0xff, 0xff, 0xff},
		"a map of 4 billion":            {0xdf, 0xff, 0xff, 0xff, 0xff},
		"4 billion groups":              append([]byte("\x82\xa4type\xa5hello\xa6groups"), 0xdd, 0xff, 0xff, 0xff, 0xff),
		"4 GB of text":                  append([]byte("\x81\xa4type"), 0xdb, 0xff, 0xff, 0xff, 0xff),
		"a megabyte of arrays":          bytes.Repeat([]byte{0x91}, 1<<20),
		"a megabyte of arrays as value": append([]byte("\x81\xa1x"), bytes.Repeat([]byte{0x91}, 1<<20)...),
		"a megabyte of arrays as data":  append([]byte("\x81\xa4data"), bytes.Repeat([]byte{0x91}, 1<<20)...),
		"an extension":                  []byte("\x82\xa4type\xa4ping\xa1x\xd4\x01\x00"),
		"a timestamp as data":           []byte("\x83\xa4type\xa3ack\xa2id\xa1x\xa4data\xd6\xff\x00\x00\x00\x00"),
		"bytes after the frame":         []byte("\x81\xa4type\xa4ping\xc0"),
		"an integer as key":             []byte("\x81\x01\x01"),
		"nothing":                       {},
	} {
		allocated := testing.AllocsPerRun(1, func() {
			var f frame
			if err := decode(bus.FormatMsgpack, p, &f); err == nil {
				t.Errorf("%s decodes as %+v", name, f)
			}
		})
		if allocated > 15 { // the error itself
			t.Errorf("%s: %v allocations", name, allocated)
		}
	}
}

func FuzzDecodeJSON(f *testing.F)    { fuzzDecode(f, bus.FormatJSON) }
func FuzzDecodeMsgpack(f *testing.F) { fuzzDecode(f, bus.FormatMsgpack) }

// fuzzDecode holds that no input panics, and that what decodes is whole: its body is well formed, its reference can
// be sent back.
func fuzzDecode(f *testing.F, format bus.Format) {
	for _, in := range []any{
		fields{"type": "ack", "id": someID, "data": fields{"ok": true}}, fields{"type": "hello", "user": "42", "groups": []string{"a"}},
		fields{"type": "send", "ref": 1.5, "to": "user:1", "event": "e", "data": nested(3), "receipt": true, "timeout_ms": 10},
		fields{"type": "call", "ref": "r", "method": "m", "data": nil}, []int{1}, nil,
	} {
		f.Add(encodeFrame(f, format, in))
	}
	f.Add([]byte(`{"type":"ack","id":"` + someID + `","data":1}`))
	f.Add([]byte{0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, p []byte) {
		var fr frame
		if err := decode(format, p, &fr); err != nil {
			return
		}
		if err := fr.check(); err != nil {
			t.Errorf("what decode let through: %v", err)
		}
		if _, err := bus.Encoded(fr.Body.Format(), fr.Body.Raw()); err != nil {
			t.Errorf("body: %v", err)
		}
		if _, err := bus.Encoded(format, payloadOf(sealAnswer(format, "pong", fr.Ref))); err != nil {
			t.Errorf("ref %q: %v", fr.Ref, err)
		}
	})
}

// payloadOf is the object within a sealed one.
func payloadOf(sealed []byte) []byte { return sealed[headroom : len(sealed)-1] }
