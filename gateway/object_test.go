package gateway

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/ackbus/ackbus/bus"
)

// opened decodes a sealed object.
func opened(tb testing.TB, format bus.Format, sealed []byte) fields {
	tb.Helper()
	unmarshal := json.Unmarshal
	if format == bus.FormatMsgpack {
		unmarshal = msgpack.Unmarshal
	}
	var f fields
	if err := unmarshal(payloadOf(sealed), &f); err != nil {
		tb.Fatalf("%q: %v", payloadOf(sealed), err)
	}
	return f
}

func TestObject(t *testing.T) {
	for _, format := range formats {
		for _, size := range []int{0, 100, 101, 125, 126, 1000, 0xffff, 0x10000, 1 << 20} {
			text := strings.Repeat("x", size)
			o := newObject(format, "test", 0)
			o.text("text", text)
			o.text("odd", "é\"\\\x00\n<&")
			o.flag("yes", true)
			o.texts("texts", []string{"a", "b"})
			o.texts("none", nil)
			sealed := o.sealed()
			want := fields{"type": "test", "text": text, "odd": "é\"\\\x00\n<&", "yes": true, "texts": []any{"a", "b"}, "none": []any{}}
			if got := opened(t, format, sealed); !reflect.DeepEqual(got, want) {
				t.Fatalf("%v, %d bytes: %v", format, size, got)
			}
			payload := payloadOf(sealed)
			if line := asLine(sealed); string(line) != string(payload)+"\n" {
				t.Errorf("the line of %d bytes is another", size)
			}
			header := asWebSocket(sealed)[:headerLen(len(payload))]
			if !bytes.Equal(asWebSocket(sealed)[len(header):], payload) || header[0]&0x80 == 0 {
				t.Errorf("the WebSocket frame of %d bytes is another", size)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 127, 128, 1 << 40, -1 << 63} {
		o := newObject(bus.FormatJSON, "test", 0)
		o.number("n", n)
		m := newObject(bus.FormatMsgpack, "test", 0)
		m.number("n", n)
		var fromJSON, fromMsgpack struct {
			N int64 `json:"n" msgpack:"n"`
		}
		check(t, json.Unmarshal(payloadOf(o.sealed()), &fromJSON))
		check(t, msgpack.Unmarshal(payloadOf(m.sealed()), &fromMsgpack))
		if fromJSON.N != n || fromMsgpack.N != n {
			t.Errorf("%d came as %d and %d", n, fromJSON.N, fromMsgpack.N)
		}
	}
}

func TestSealedMessage(t *testing.T) {
	for _, format := range formats {
		m := &bus.Message{ID: uuid.MustParse(someID), To: bus.User("42"), Event: "e", Body: bus.JSON("hi"), Ack: true, Redelivered: true,
			Deadline: time.Now().Add(time.Hour)}
		f := opened(t, format, sealMessage(m, format))
		ttl := f["ttl_ms"]
		delete(f, "ttl_ms")
		want := fields{"type": "message", "id": someID, "to": "user:42", "event": "e", "data": "hi", "ack": true, "redelivered": true}
		if !reflect.DeepEqual(f, want) {
			t.Errorf("%v: %v", format, f)
		}
		var left float64
		switch n := ttl.(type) {
		case float64:
			left = n
		case uint32:
			left = float64(n)
		case int32:
			left = float64(n)
		}
		if left <= 3_590_000 || left > 3_600_000 {
			t.Errorf("%v: ttl_ms = %v (%T)", format, ttl, ttl)
		}
		if p, again := sealMessage(m, format), sealMessage(m, format); &p[0] != &again[0] {
			t.Errorf("%v: encoded twice", format)
		}
	}
}

func TestSealedReplyOfRawBytes(t *testing.T) {
	raw := bus.Bytes([]byte{0, 1, 0xff})
	f := opened(t, bus.FormatJSON, sealReply(bus.FormatJSON, []byte(`"r"`), raw, nil))
	if !reflect.DeepEqual(f["data"], fields{"base64": "AAH/"}) {
		t.Errorf("JSON: %v", f)
	}
	f = opened(t, bus.FormatMsgpack, sealReply(bus.FormatMsgpack, []byte("\xa1r"), raw, nil))
	if !reflect.DeepEqual(f["data"], []byte{0, 1, 0xff}) {
		t.Errorf("msgpack: %v", f)
	}
	odd := bus.Msgpack(fields{"x": nan()})
	if f := opened(t, bus.FormatJSON, sealReply(bus.FormatJSON, []byte(`"r"`), odd, nil)); f["error"].(fields)["code"] != codeInternal {
		t.Errorf("what can't be translated: %v", f)
	}
}
