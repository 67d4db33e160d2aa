package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"
)

func TestBodyDecode(t *testing.T) {
	type payment struct {
		Amount int `json:"amount" msgpack:"amount"`
	}
	for name, b := range map[string]Body{"JSON": JSON(payment{100}), "msgpack": Msgpack(payment{100})} {
		var got payment
		if err := b.Decode(&got); err != nil || got.Amount != 100 {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		var wrong []int
		if err := b.Decode(&wrong); !errors.Is(err, ErrBody) {
			t.Errorf("%s into the wrong type: %v, want ErrBody", name, err)
		}
		if err := b.Decode(got); !errors.Is(err, ErrBody) {
			t.Errorf("%s into no pointer: %v, want ErrBody", name, err)
		}
	}
}

func TestBodyDecodeKeepsTypeErrors(t *testing.T) {
	var n int
	err := JSON("text").Decode(&n)
	if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok || typed.Value != "string" {
		t.Errorf("got %v, want encoding/json's error inside", err)
	}
}

func TestBodyDecodeRaw(t *testing.T) {
	source := []byte{1, 2}
	b := Bytes(source)
	var got []byte
	if err := b.Decode(&got); err != nil || !bytes.Equal(got, source) {
		t.Fatalf("got %x, %v", got, err)
	}
	got[0] = 9
	if source[0] != 1 {
		t.Error("the decoded bytes share memory with the body")
	}
	var s string
	if err := b.Decode(&s); !errors.Is(err, ErrBody) {
		t.Errorf("raw into a string: %v, want ErrBody", err)
	}
}

func TestBodyDecodeNone(t *testing.T) {
	n := 7
	if err := (Body{}).Decode(&n); err != nil || n != 7 {
		t.Errorf("got %d, %v, want no change", n, err)
	}
}

func TestBodyDecodeRefusesHostileMsgpack(t *testing.T) {
	for _, p := range [][]byte{{0xdd, 0xff, 0xff, 0xff, 0xff}, bytes.Repeat([]byte{0x91}, 4<<20), {0x81, 0x90, 1}, {0x81, 0xc4, 0, 1}} {
		var list []string
		var table map[any]any
		for _, into := range []any{&list, &table} {
			if err := msgpackOf(p).Decode(into); !errors.Is(err, ErrBody) {
				t.Errorf("%.8x into %T: %v, want ErrBody", p, into, err)
			}
		}
	}
}

func TestBodyFormats(t *testing.T) {
	for _, c := range []struct {
		body   Body
		format Format
		raw    string
		zero   bool
	}{
		{Body{}, FormatNone, "", true},
		{JSON(nil), FormatJSON, "null", false},
		{JSON(json.RawMessage(`{"a": 1}`)), FormatJSON, `{"a":1}`, false},
		{Msgpack(nil), FormatMsgpack, "\xc0", false},
		{Bytes(nil), FormatRaw, "", false},
		{Bytes([]byte("x")), FormatRaw, "x", false},
	} {
		if c.body.Format() != c.format || string(c.body.Raw()) != c.raw || c.body.IsZero() != c.zero || c.body.Err() != nil {
			t.Errorf("got format %d, %q, zero %v, %v, want %+v", c.body.Format(), c.body.Raw(), c.body.IsZero(), c.body.Err(), c)
		}
	}
}

func TestBodyThatCannotBeEncoded(t *testing.T) {
	for name, b := range map[string]Body{"JSON": JSON(math.NaN()), "msgpack": Msgpack(make(chan int))} {
		if !errors.Is(b.Err(), ErrBody) || b.IsZero() || !errors.Is(b.check(), ErrBody) {
			t.Errorf("%s: error %v, zero %v, check %v", name, b.Err(), b.IsZero(), b.check())
		}
		var v any
		if err := b.Decode(&v); !errors.Is(err, ErrBody) {
			t.Errorf("%s: Decode gives %v", name, err)
		}
	}
	if _, ok := errors.AsType[*json.UnsupportedValueError](JSON(math.NaN()).Err()); !ok {
		t.Error("the error of encoding/json is not inside")
	}
}

func TestMsgpackTimeIsRefusedWhereItIsMade(t *testing.T) {
	if err := Msgpack(time.Unix(1, 0)).Err(); !errors.Is(err, ErrBody) {
		t.Errorf("got %v: a receiver would refuse the extension, so the sender is to be told", err)
	}
}

func TestEncoded(t *testing.T) {
	b, err := Encoded(FormatJSON, []byte(`{"a":1}`))
	if err != nil || b.Format() != FormatJSON || string(b.Raw()) != `{"a":1}` {
		t.Errorf("got %s, %v", b.Raw(), err)
	}
	if b, err := Encoded(FormatJSON, []byte(`{`)); !errors.Is(err, ErrBody) || !b.IsZero() {
		t.Errorf("bad JSON: got %s, %v", b.Raw(), err)
	}
}

func TestBodyMarshalJSON(t *testing.T) {
	p, err := json.Marshal([]Body{{}, JSON(1), Msgpack("a"), Bytes([]byte("hi"))})
	if want := `[null,1,"a",{"base64":"aGk="}]`; err != nil || string(p) != want {
		t.Errorf("got %s, %v, want %s", p, err, want)
	}
}

// The library panics over a key that comes twice for a field of an interface type.
func TestBodyDecodePanicsNot(t *testing.T) {
	var into struct {
		Any any `msgpack:"any"`
	}
	b, err := Encoded(FormatMsgpack, []byte("\x82\xa3any\x01\xa3any\x02"))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Decode(&into); !errors.Is(err, ErrBody) {
		t.Errorf("%v, %+v", err, into)
	}
}
