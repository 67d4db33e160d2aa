package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/ackbus/ackbus/bus"
)

// TestWrongTypes gives every field values of the types that it does not take: the error names the field and says what is allowed.
func TestWrongTypes(t *testing.T) {
	for field, want := range map[string]string{
		"type": "must be a string", "id": "must be a string", "code": "must be a string", "message": "must be a string",
		"token": "must be a string", "user": "must be a string", "group": "must be a string", "method": "must be a string",
		"to": "must be a string", "event": "must be a string", "receipt": "must be true or false", "groups": "must be a list of strings",
		"timeout_ms": "must be a whole number from 1 to 600000", "ref": "must be a string or a number",
	} {
		for _, value := range []any{1, 1.5, true, "x", []any{}, []any{1}, fields{"a": 1}} {
			for _, format := range formats {
				var f frame
				err := decode(format, encodeFrame(t, format, fields{"type": "ping", field: value}), &f)
				if err == nil || strings.HasPrefix(err.Error(), "unknown type") {
					continue // the value is of a right type
				}
				if text := err.Error(); !strings.HasPrefix(text, field+" ") || !strings.Contains(text, want) {
					t.Errorf("%v: %s %v: %q, want %q", format, field, value, text, want)
				}
			}
		}
	}
	for _, format := range formats {
		f := fields{"type": "ping", "receipt": true, "groups": []any{"a"}, "timeout_ms": 5, "ref": 1, "user": "x"}
		if err := decode(format, encodeFrame(t, format, f), new(frame)); err != nil {
			t.Errorf("%v: %v", format, err)
		}
	}
}

// TestGarbledField names the field of msgpack that could not be told to a client of JSON.
func TestGarbledField(t *testing.T) {
	deep := slices.Repeat([]byte{0x91}, 100)
	for what, value := range map[string]any{"extension": msgpack.RawMessage("\xd4\x01\x01"), "UTF-8": msgpack.RawMessage("\xa1\xff"),
		"deep": msgpack.RawMessage(append(deep, 0xc0))} {
		p := encodeFrame(t, bus.FormatMsgpack, fields{"type": "ping", "data": value})
		if err := decode(bus.FormatMsgpack, p, new(frame)); err == nil || !strings.HasPrefix(err.Error(), "data: ") ||
			!strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNamesOfHello tells a client which of its names is bad.
func TestNamesOfHello(t *testing.T) {
	r := newRig(t, &Options{MaxGroups: 1})
	for prefix, hello := range map[string]fields{
		"user: ":             {"type": "hello", "user": strings.Repeat("x", 256)},
		"groups: bad":        {"type": "hello", "groups": []string{""}},
		"groups: at most 1 ": {"type": "hello", "groups": []string{"a", "b"}},
	} {
		c := r.connect("", "")
		c.say(hello)
		if last := c.expectClose(0); last["code"] != "forbidden" || !strings.HasPrefix(last["message"].(string), prefix) {
			t.Errorf("%s: %v", prefix, last)
		}
	}
}

// TestGarbledQuery refuses an upgrade of whose query a part could not be read: net/url by itself would leave that out.
func TestGarbledQuery(t *testing.T) {
	r := newRig(t, nil)
	for _, query := range []string{"user=%zz", "user=42&group=a;b"} {
		if status, _ := r.upgrade(nil, query); status != 400 {
			t.Errorf("%s: status %d", query, status)
		}
	}
}
