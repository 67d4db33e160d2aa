package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"
	"github.com/vmihailenco/msgpack/v5"
)

func msgpackOf(p []byte) Body { return Body{format: FormatMsgpack, bytes: p} }
func jsonOf(s string) Body    { return Body{format: FormatJSON, bytes: []byte(s)} }
func nest(n int) string       { return strings.Repeat("[", n) + strings.Repeat("]", n) }
func fixstr(s string) []byte  { return msgp.AppendString(nil, s) }

func TestAsJSON(t *testing.T) {
	pair := func(key, value []byte) []byte { return append(append(msgp.AppendMapHeader(nil, 1), key...), value...) }
	for _, c := range []struct {
		name string
		body Body
		want string
	}{
		{"none", Body{}, `null`},
		{"JSON as it is", jsonOf(` {"b": 1,"a":1.0} `), ` {"b": 1,"a":1.0} `},
		{"raw", Bytes([]byte{0, 0xff}), `{"base64":"AP8="}`},
		{"raw of nothing", Bytes(nil), `{"base64":""}`},
		{"nil", msgpackOf(msgp.AppendNil(nil)), `null`},
		{"true", msgpackOf(msgp.AppendBool(nil, true)), `true`},
		{"largest uint64", msgpackOf(msgp.AppendUint64(nil, math.MaxUint64)), `18446744073709551615`},
		{"least int64", msgpackOf(msgp.AppendInt64(nil, math.MinInt64)), `-9223372036854775808`},
		{"negative fixint", msgpackOf([]byte{0xff}), `-1`},
		{"above 2^53", msgpackOf(msgp.AppendInt64(nil, 1<<53+1)), `9007199254740993`},
		{"float32", msgpackOf(msgp.AppendFloat32(nil, 0.1)), `0.1`},
		{"float64", msgpackOf(msgp.AppendFloat64(nil, 1e6)), `1000000`},
		{"large float", msgpackOf(msgp.AppendFloat64(nil, 1e21)), `1e+21`},
		{"small float", msgpackOf(msgp.AppendFloat64(nil, 1e-7)), `1e-07`},
		{"negative zero", msgpackOf(msgp.AppendFloat64(nil, math.Copysign(0, -1))), `-0`},
		{"text", msgpackOf(fixstr("é<>&\u2028 \"\\/")), "\"é<>&\u2028 \\\"\\\\/\""},
		{"control characters", msgpackOf(fixstr("a\n\x00\x1f\x7f")), "\"a\\u000a\\u0000\\u001f\x7f\""},
		{"text that is not UTF-8", msgpackOf(fixstr("a\xffb\xe2\x82")), `"a�b��"`},
		{"a replacement character", msgpackOf(fixstr("�")), `"�"`},
		{"bin", msgpackOf(msgp.AppendBytes(nil, []byte("hi"))), `{"base64":"aGk="}`},
		{"empty array", msgpackOf([]byte{0x90}), `[]`},
		{"empty map", msgpackOf([]byte{0x80}), `{}`},
		{"nested", msgpackOf([]byte{0x93, 1, 0x82, 0xa1, 'a', 0x90, 0xa1, 'b', 0xc0, 2}), `[1,{"a":[],"b":null},2]`},
		{"integer key", msgpackOf(pair([]byte{0xfe}, []byte{1})), `{"-2":1}`},
		{"uint64 key", msgpackOf(pair(msgp.AppendUint64(nil, math.MaxUint64), []byte{1})), `{"18446744073709551615":1}`},
		{"boolean key", msgpackOf(pair([]byte{0xc2}, []byte{1})), `{"false":1}`},
		{"key with a quote", msgpackOf(pair(fixstr(`"`), []byte{1})), `{"\"":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.body.AsJSON()
			if err != nil || string(got) != c.want {
				t.Fatalf("got %s, %v, want %s", got, err, c.want)
			}
			if !json.Valid(got) {
				t.Errorf("%s is not JSON", got)
			}
		})
	}
}

func TestAsJSONRefuses(t *testing.T) {
	for name, p := range map[string][]byte{
		"NaN":         msgp.AppendFloat64(nil, math.NaN()),
		"NaN of 32":   msgp.AppendFloat32(nil, float32(math.NaN())),
		"infinity":    msgp.AppendFloat64(nil, math.Inf(-1)),
		"nil key":     {0x81, 0xc0, 1},
		"float key":   append(msgp.AppendFloat64([]byte{0x81}, 1), 1),
		"array key":   {0x81, 0x90, 1},
		"timestamp":   {0xd6, 0xff, 0, 0, 0, 0},
		"trailing":    {1, 2},
		"too short":   {0x92, 1},
		"deep inside": msgp.AppendFloat64([]byte{0x91, 0x81, 0xa1, 'a'}, math.NaN()),
	} {
		if got, err := msgpackOf(p).AsJSON(); !errors.Is(err, ErrBody) || got != nil {
			t.Errorf("%s: got %s, %v, want an error that wraps ErrBody", name, got, err)
		}
	}
}

func TestAsMsgpack(t *testing.T) {
	many := "[" + strings.Repeat("0,", 69_999) + "0]"
	for _, c := range []struct {
		name string
		body Body
		want []byte
	}{
		{"none", Body{}, []byte{0xc0}},
		{"msgpack as it is", msgpackOf([]byte{0xcd, 0, 1}), []byte{0xcd, 0, 1}},
		{"raw", Bytes([]byte("hi")), msgp.AppendBytes(nil, []byte("hi"))},
		{"null", jsonOf("null"), []byte{0xc0}},
		{"booleans", jsonOf("[true,false]"), []byte{0x92, 0xc3, 0xc2}},
		{"integer", jsonOf("-5"), []byte{0xfb}},
		{"largest uint64", jsonOf("18446744073709551615"), msgp.AppendUint64(nil, math.MaxUint64)},
		{"least int64", jsonOf("-9223372036854775808"), msgp.AppendInt64(nil, math.MinInt64)},
		{"beyond 64 bits", jsonOf("18446744073709551616"), msgp.AppendFloat64(nil, 1<<64)},
		{"negative zero", jsonOf("-0"), msgp.AppendFloat64(nil, math.Copysign(0, -1))},
		{"a whole float", jsonOf("1.0"), msgp.AppendFloat64(nil, 1)},
		{"an exponent", jsonOf("1e3"), msgp.AppendFloat64(nil, 1000)},
		{"too small", jsonOf("1e-999"), msgp.AppendFloat64(nil, 0)},
		{"text", jsonOf(`"é"`), fixstr("é")},
		{"escapes", jsonOf(`"\"\\\/\n\u00e9\ud83d\ude00"`), fixstr("\"\\/\né😀")},
		{"half a surrogate", jsonOf(`"\ud800"`), fixstr("�")},
		{"empty", jsonOf(`[[],{},""]`), []byte{0x93, 0x90, 0x80, 0xa0}},
		{"spaces", jsonOf(" {\r\n\t\"a\" : [ 1 , 2 ] , \"b\" : {} } \n"), []byte{0x82, 0xa1, 'a', 0x92, 1, 2, 0xa1, 'b', 0x80}},
		{"base64 stays an object", jsonOf(`{"base64":"aGk="}`), append(append([]byte{0x81}, fixstr("base64")...), fixstr("aGk=")...)},
		{"brackets in text", jsonOf(`{"]}":"[{,:"}`), append(append([]byte{0x81}, fixstr("]}")...), fixstr("[{,:")...)},
		{"a long array", jsonOf(many), append(msgp.AppendArrayHeader(nil, 70_000), make([]byte, 70_000)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.body.AsMsgpack()
			if err != nil || !bytes.Equal(got, c.want) {
				t.Fatalf("got %.80x, %v, want %.80x", got, err, c.want)
			}
		})
	}
}

func TestAsMsgpackRefuses(t *testing.T) {
	for _, s := range []string{"", " ", "{", "[1,]", "nul", "1 2", "1e999", "[-1e999]", "\"\xff\"", nest(MaxNesting + 1)} {
		if got, err := jsonOf(s).AsMsgpack(); !errors.Is(err, ErrBody) || got != nil {
			t.Errorf("%.20q: got %x, %v, want an error that wraps ErrBody", s, got, err)
		}
	}
}

func TestTranscodeKeepsEncodingErrors(t *testing.T) {
	broken := JSON(func() {})
	if _, err := broken.AsJSON(); !errors.Is(err, ErrBody) {
		t.Errorf("AsJSON: %v", err)
	}
	if _, err := broken.AsMsgpack(); !errors.Is(err, ErrBody) {
		t.Errorf("AsMsgpack: %v", err)
	}
}

func TestCheck(t *testing.T) {
	deep := func(p byte, n int) []byte { return append(bytes.Repeat([]byte{p}, n), 0xc0) }
	for _, c := range []struct {
		name string
		body Body
		want error // nil: well formed
	}{
		{"none", Body{}, nil},
		{"raw", Bytes([]byte("\xff{")), nil},
		{"bytes without a format", Body{bytes: []byte("1")}, ErrBody},
		{"unknown format", Body{format: 9}, ErrBody},
		{"JSON as deep as allowed", jsonOf(nest(MaxNesting)), nil},
		{"JSON too deep", jsonOf(nest(MaxNesting + 1)), errNesting},
		{"JSON deep in the middle", jsonOf("[" + nest(3) + "," + nest(MaxNesting) + "]"), errNesting},
		{"JSON wide, not deep", jsonOf("[" + strings.Repeat("[],", 1000) + "0]"), nil},
		{"JSON with brackets in text", jsonOf(`["` + strings.Repeat(`[\"`, 200) + `"]`), nil},
		{"JSON deep after an escape", jsonOf(`["\\",` + nest(MaxNesting) + "]"), errNesting},
		{"JSON that never closes", jsonOf(strings.Repeat("[", 1<<20)), errNesting},
		{"JSON of nothing", jsonOf(""), errJSON},
		{"two JSON values", jsonOf("1 2"), errJSON},
		{"JSON with text open", jsonOf(`"` + strings.Repeat("a", 200) + `\`), errJSON},
		{"JSON that is not UTF-8", jsonOf("\"\xff\""), errUTF8},
		{"msgpack of nothing", msgpackOf(nil), errShort},
		{"msgpack as deep as allowed", msgpackOf(deep(0x91, MaxNesting)), nil},
		{"msgpack too deep", msgpackOf(deep(0x91, MaxNesting+1)), errNesting},
		{"empty array too deep", msgpackOf(append(bytes.Repeat([]byte{0x91}, MaxNesting), 0x90)), errNesting},
		{"megabytes of 0x91", msgpackOf(bytes.Repeat([]byte{0x91}, 4<<20)), errNesting},
		{"array of 4 G", msgpackOf([]byte{0xdd, 0xff, 0xff, 0xff, 0xff}), errShort},
		{"map of 4 G", msgpackOf([]byte{0xdf, 0xff, 0xff, 0xff, 0xff}), errShort},
		{"text of 4 G", msgpackOf([]byte{0xdb, 0xff, 0xff, 0xff, 0xff}), errShort},
		{"map without its value", msgpackOf([]byte{0x81, 0xa1, 'a'}), errShort},
		{"half a number", msgpackOf([]byte{0xcf, 0}), errShort},
		{"trailing bytes", msgpackOf([]byte{0xc0, 0xc0}), errTrailing},
		{"trailing bytes of an array", msgpackOf([]byte{0x91, 0x90, 0xc0}), errTrailing},
		{"timestamp", msgpackOf([]byte{0xd6, 0xff, 0, 0, 0, 0}), errExtension},
		{"extension", msgpackOf([]byte{0xc7, 0, 5}), errExtension},
		{"extension inside", msgpackOf([]byte{0x91, 0xd4, 1, 0}), errExtension},
		{"never used byte", msgpackOf([]byte{0xc1}), errInvalid},
		{"array as a key", msgpackOf([]byte{0x81, 0x90, 1}), errKey},
		{"map as the second key", msgpackOf([]byte{0x82, 1, 1, 0x80, 1}), errKey},
		{"bytes as a key", msgpackOf([]byte{0x81, 0xc4, 0, 1}), errKey},
		{"arrays as values", msgpackOf([]byte{0x82, 1, 0x91, 0x90, 2, 0x80}), nil},
		{"number and nil as keys", msgpackOf([]byte{0x82, 0xca, 0, 0, 0, 0, 1, 0xc0, 1}), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.body.check()
			if !errors.Is(err, c.want) || (err != nil && !errors.Is(err, ErrBody)) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			_, encodedErr := Encoded(c.body.format, c.body.bytes)
			if !errors.Is(encodedErr, c.want) {
				t.Errorf("Encoded: got %v, want %v", encodedErr, c.want)
			}
		})
	}
}

// Of JSON the scan of our own is measured alone: json.Valid takes its scanner from a pool, which the race detector empties at random.
func TestCheckAllocatesNothing(t *testing.T) {
	value := map[string]any{"amount": 100, "list": []int{1, 2, 3}, "text": strings.Repeat("x", 200)}
	asJSON, asMsgpack := JSON(value), Msgpack(value)
	if n := testing.AllocsPerRun(100, func() {
		if err := asMsgpack.check(); err != nil || nestedJSON(asJSON.bytes) {
			t.Errorf("refused: %v", err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestTranscodeAgreesWithDecoders compares with what the two libraries themselves read.
func TestTranscodeAgreesWithDecoders(t *testing.T) {
	type payment struct {
		Amount  int64             `json:"amount" msgpack:"amount"`
		Rate    float64           `json:"rate" msgpack:"rate"`
		To      []string          `json:"to" msgpack:"to"`
		Headers map[string]string `json:"headers" msgpack:"headers"`
		Next    *payment          `json:"next" msgpack:"next"`
	}
	want := payment{Amount: 1 << 60, Rate: 0.25, To: []string{"a", "\u00e9\n"}, Headers: map[string]string{"x": "y"},
		Next: &payment{Amount: -1}}
	p, err := JSON(want).AsMsgpack()
	if err != nil {
		t.Fatal(err)
	}
	var fromMsgpack, fromJSON payment
	if err := msgpack.Unmarshal(p, &fromMsgpack); err != nil {
		t.Fatal(err)
	}
	j, err := Msgpack(want).AsJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(j, &fromJSON); err != nil {
		t.Fatal(err)
	}
	for _, got := range []payment{fromMsgpack, fromJSON} {
		if fmt.Sprintf("%+v %+v", got.Next.Amount, got.To) != fmt.Sprintf("%+v %+v", want.Next.Amount, want.To) ||
			got.Amount != want.Amount || got.Rate != want.Rate || got.Headers["x"] != "y" {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// swell is by how much a translation may be larger than its source: a byte of an empty bin becomes half of {"base64":""}.
const swell = 16

func FuzzTranscodeJSON(f *testing.F) {
	for _, s := range []string{"null", `{"a":[1,-2.5e3,"x\u00e9\ud800",true,{}]}`, "18446744073709551616", `[[[]]]`, nest(MaxNesting), "-0",
		`{"base64":"aGk="}`, " [ 1 , 2 ] ", "1e400", "\"\xff\"", `"\\"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		b := Body{format: FormatJSON, bytes: p}
		checked := b.check()
		if checked == nil && !json.Valid(p) {
			t.Fatalf("%q passed the check", p)
		}
		packedOnce, err := b.AsMsgpack()
		if err != nil {
			if !errors.Is(err, ErrBody) {
				t.Fatalf("%q: %v", p, err)
			}
			return
		}
		if checked != nil || len(packedOnce) > swell*len(p) {
			t.Fatalf("%q: translated to %d bytes; check: %v", p, len(packedOnce), checked)
		}
		once := mustJSON(t, packedOnce)
		again, err := Body{format: FormatJSON, bytes: once}.AsMsgpack()
		if err != nil {
			t.Fatalf("%q became %q: %v", p, once, err)
		}
		if twice := mustJSON(t, again); !bytes.Equal(once, twice) {
			t.Fatalf("%q became %q, then %q", p, once, twice)
		}
	})
}

func FuzzTranscodeMsgpack(f *testing.F) {
	for _, p := range [][]byte{{0xc0}, {0x93, 1, 0xa1, 'a', 0x80}, {0xdd, 0xff, 0xff, 0xff, 0xff}, {0x81, 1, 0xc4, 1, 0},
		{0xd6, 0xff, 0, 0, 0, 0}, bytes.Repeat([]byte{0x91}, 100), {0xca, 0x7f, 0xc0, 0, 0},
		{0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x82, 0xc2, 1, 0xc3, 2}} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		b := msgpackOf(p)
		checked := b.check()
		if rest, err := msgp.Skip(p); checked == nil && (err != nil || len(rest) > 0) {
			t.Fatalf("%x passed the check", p)
		}
		if checked == nil { // what passes the check may be given to the decoder
			var v any
			_ = b.Decode(&v)
			var m map[any]any
			_ = b.Decode(&m)
		}
		once, err := b.AsJSON()
		if err != nil {
			if !errors.Is(err, ErrBody) {
				t.Fatalf("%x: %v", p, err)
			}
			return
		}
		if checked != nil || !json.Valid(once) || len(once) > swell*len(p) {
			t.Fatalf("%x became %q; check: %v", p, once, checked)
		}
		again, err := Body{format: FormatJSON, bytes: once}.AsMsgpack()
		if errors.Is(err, errNesting) {
			return // bin at the deepest level: its {"base64":…} is one more
		}
		if err != nil {
			t.Fatalf("%x became %q: %v", p, once, err)
		}
		if twice := mustJSON(t, again); !bytes.Equal(once, twice) {
			t.Fatalf("%x became %q, then %q", p, once, twice)
		}
	})
}

func mustJSON(t *testing.T, p []byte) []byte {
	t.Helper()
	j, err := msgpackOf(p).AsJSON()
	if err != nil || !json.Valid(j) {
		t.Fatalf("%x became %q, %v", p, j, err)
	}
	return j
}

func BenchmarkTranscode(b *testing.B) {
	value := map[string]any{"amount": 100, "currency": "EUR", "from": "user:42", "items": []int{1, 2, 3}}
	asJSON, asMsgpack := JSON(value), Msgpack(value)
	for name, run := range map[string]func() error{
		"check-json":      asJSON.check,
		"check-msgpack":   asMsgpack.check,
		"json-to-msgpack": func() error { _, err := asJSON.AsMsgpack(); return err },
		"msgpack-to-json": func() error { _, err := asMsgpack.AsJSON(); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
