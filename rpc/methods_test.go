package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

func TestMethods(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		for _, name := range []string{"b", "a"} {
			c.server(name, func(s *Server) {
				Handle(s, "math.sum", func(_ context.Context, in terms) (int, error) { return in.A + in.B, nil },
					Version("1."+name), Description("adds two numbers"), Idempotent())
				if name == "a" {
					counts(make(chan error), nil, nil)(s)
				}
			})
		}
		settle()
		for i := range 10 {
			if _, err := Call[int](t.Context(), client, "math.sum", terms{i, i}, OnNode("a")); err != nil {
				t.Fatal(err)
			}
		}
		methods, err := client.Methods(t.Context())
		if err != nil || len(methods) != 2 || methods[0].Name != "count" || !methods[0].Streaming || methods[0].Idempotent {
			t.Fatalf("%+v, %v", methods, err)
		}
		sum := methods[1]
		if sum.Description != "adds two numbers" || !sum.Idempotent || sum.Streaming || len(sum.Instances) != 2 {
			t.Fatalf("%+v", sum)
		}
		if in := sum.Instances[0]; in.Node != "a" || in.Version != "1.a" || in.NodeID == uuid.Nil || in.Stats.Calls != 10 {
			t.Errorf("%+v", in)
		}
		var shape struct {
			Type       string
			Properties map[string]struct{ Type string }
			Required   []string
		}
		if err := json.Unmarshal(sum.Request, &shape); err != nil || shape.Type != "object" || shape.Properties["a"].Type != "integer" ||
			!slices.Equal(shape.Required, []string{"a", "b"}) || string(sum.Reply) != `{"type":"integer"}` {
			t.Errorf("%s, %s, %v", sum.Request, sum.Reply, err)
		}
		text, err := json.Marshal(methods)
		if err != nil || !strings.Contains(string(text), `"stats":{"calls":10,"errors":0,"in_flight":0,"p50_ms":`) {
			t.Errorf("%s, %v", text, err)
		}
		var again []Method
		if err := json.Unmarshal(text, &again); err != nil || again[1].Instances[0].Stats.Calls != 10 {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

// More methods than fit into one answer come in pages, to callers and to listings.
func TestManyMethods(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		const n = 1500
		c.server("s", func(s *Server) {
			for i := range n {
				Handle(s, fmt.Sprintf("method.%04d", i), func(_ context.Context, in terms) (terms, error) { return in, nil },
					Description(strings.Repeat("d", 200)))
			}
		})
		settle()
		if _, err := Call[terms](t.Context(), client, "method.1499", terms{}); err != nil {
			t.Error(err)
		}
		methods, err := client.Methods(t.Context())
		if err != nil || len(methods) != n || methods[n-1].Name != "method.1499" {
			t.Errorf("%d methods, %v", len(methods), err)
		}
	})
}

func TestSchemas(t *testing.T) {
	type loop struct{ Next *loop }
	type all struct {
		ID    uuid.UUID       `json:"id"`
		At    time.Time       `json:"at"`
		Bytes []byte          `json:"bytes"`
		Any   json.RawMessage `json:"any,omitempty"`
		Notes string          `json:"notes" jsonschema:"what people say"`
	}
	var got struct {
		Properties map[string]any
		Required   []string
	}
	if err := json.Unmarshal(schemaOf(reflect.TypeFor[all]()), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"id":    map[string]any{"type": "string", "format": "uuid"},
		"at":    map[string]any{"type": "string"},
		"bytes": map[string]any{"type": "string", "contentEncoding": "base64"},
		"any":   true,
		"notes": map[string]any{"type": "string", "description": "what people say"},
	}
	if !reflect.DeepEqual(got.Properties, want) || !slices.Equal(got.Required, []string{"id", "at", "bytes", "notes"}) {
		t.Errorf("%+v", got)
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[loop](), reflect.TypeFor[bus.Body]()} {
		if schema := schemaOf(typ); schema != nil {
			t.Errorf("%v: %s", typ, schema)
		}
	}
}

// What nodes say of themselves is believed within bounds.
func FuzzDecodeDescriptions(f *testing.F) {
	good := encode(describeReply{Methods: []description{{Name: "math.sum", Version: "1", Stats: &statsWire{Calls: 1}}}, Next: 1},
		bus.FormatMsgpack)
	f.Add(true, good.Raw())
	f.Add(false, []byte(`{"methods":[{"name":"math.sum","request":{"type":"object"}}],"next":3}`))
	f.Add(true, []byte{0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, packed bool, p []byte) {
		format := bus.FormatJSON
		if packed {
			format = bus.FormatMsgpack
		}
		body, err := bus.Encoded(format, p)
		if err != nil {
			return
		}
		reply, err := decodeDescriptions(body)
		if err != nil {
			return
		}
		for _, d := range reply.Methods {
			if err := d.check(); err != nil {
				t.Error(err)
			}
		}
		if again, err := decodeDescriptions(encode(reply, bus.FormatMsgpack)); err != nil || len(again.Methods) != len(reply.Methods) {
			t.Errorf("read again: %v", err)
		}
	})
}

func FuzzDecodeRefusal(f *testing.F) {
	body, _ := refusal(&Error{Code: "x", Details: map[string]int{"a": 1}, Cause: errTest}, bus.FormatMsgpack)
	f.Add(uint8(bus.FormatMsgpack), body.Raw())
	body, _ = refusal(&Error{Code: "x", Details: map[string]int{"a": 1}, Cause: errTest}, bus.FormatJSON)
	f.Add(uint8(bus.FormatJSON), body.Raw())
	f.Add(uint8(bus.FormatRaw), []byte("raw"))
	f.Add(uint8(bus.FormatMsgpack), []byte{0x81, 0xa7, 'd', 'e', 't', 'a', 'i', 'l', 's', 0xc1})
	f.Fuzz(func(t *testing.T, format uint8, p []byte) {
		body, err := bus.Encoded(bus.Format(format), p)
		if err != nil {
			return
		}
		details, causes := decodeRefusal(body)
		if len(causes) > maxCauses || details.Err() != nil {
			t.Errorf("%d causes, %v", len(causes), details.Err())
		}
		if _, err := bus.Encoded(details.Format(), details.Raw()); err != nil {
			t.Errorf("details that can't be passed on: %v", err)
		}
	})
}

func FuzzDecodeBatch(f *testing.F) {
	whole := appendItem(appendItem([]byte{7}, bus.JSON(1)), bus.Msgpack("two"))
	f.Add(whole)
	f.Add([]byte{0, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, p []byte) {
		first, items, err := decodeBatch(p)
		if err != nil {
			return
		}
		again := appendUvarint(first)
		for _, item := range items {
			again = appendItem(again, item)
		}
		first2, items2, err := decodeBatch(again)
		if err != nil || first2 != first || !slices.EqualFunc(items, items2, sameBody) {
			t.Errorf("read again: %d and %d items, %v", len(items), len(items2), err)
		}
	})
}

// Arguments from outside decode, or are refused, and nothing else.
func FuzzDecodeArgument(f *testing.F) {
	type nested struct {
		Terms []terms           `json:"terms"`
		Names map[string]string `json:"names"`
		Inner *nested           `json:"inner"`
		Any   any               `json:"any"`
	}
	seed := encode(nested{Terms: []terms{{1, 2}}, Names: map[string]string{"a": "b"}, Inner: &nested{Any: 1.5}}, bus.FormatMsgpack)
	f.Add(uint8(bus.FormatMsgpack), seed.Raw())
	f.Add(uint8(bus.FormatJSON), []byte(`{"terms":[{"a":1}],"any":[null]}`))
	f.Add(uint8(bus.FormatMsgpack), []byte{0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, format uint8, p []byte) {
		body, err := bus.Encoded(bus.Format(format), p)
		if err != nil {
			return
		}
		var v nested
		if err := decode(body, &v); err != nil {
			if e := badArgument(body, new(nested), err); e.Code != CodeBadRequest || e.Message == "" {
				t.Errorf("%+v", e)
			}
		}
	})
}

func appendUvarint(n uint64) []byte {
	var p []byte
	for ; n >= 0x80; n >>= 7 {
		p = append(p, byte(n)|0x80)
	}
	return append(p, byte(n))
}

func sameBody(a, b bus.Body) bool {
	return a.Format() == b.Format() && bytes.Equal(a.Raw(), b.Raw())
}
