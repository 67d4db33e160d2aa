package rpc

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/bus"
)

// counted has integers of several sizes.
type counted struct {
	Tiny   int8             `json:"tiny"`
	Port   uint16           `json:"port"`
	Far    int64            `json:"far"`
	Bytes  []byte           `json:"bytes"`
	Any    any              `json:"any"`
	Rate   float64          `json:"rate"`
	Inner  *counted         `json:"inner,omitempty"`
	ByName map[string]int32 `json:"by_name,omitempty"`
}

// An integer that does not fit is refused with its field, whichever form the caller speaks, and none is cut down.
func TestIntegersThatDoNotFit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		runs := 0
		c.server("s", func(s *Server) {
			Handle(s, "count", func(_ context.Context, in counted) (counted, error) { runs++; return in, nil })
			Handle(s, "large", func(context.Context, struct{}) (int, error) { return 300, nil })
		})
		settle()
		type object = map[string]any
		for field, argument := range map[string]any{
			"tiny":       object{"tiny": 128, "bytes": []byte("before it")},
			"port":       object{"port": -1},
			"far":        object{"far": uint64(1 << 63)},
			"inner.tiny": object{"inner": object{"tiny": -129}},
			"by_name":    object{"by_name": object{"x": int64(math.MinInt32) - 1}},
		} {
			for _, body := range []bus.Body{bus.JSON(argument), bus.Msgpack(argument)} {
				_, err := client.Call(t.Context(), "count", body)
				code, message, details := Explain(err)
				text, _ := details.AsJSON()
				if code != CodeBadRequest || !strings.Contains(message, "number") || !strings.Contains(string(text), field) {
					t.Errorf("%v: %v, details %s", argument, err, text)
				}
			}
		}
		if runs > 0 {
			t.Errorf("%d ran", runs)
		}
		fits := counted{Tiny: -128, Port: math.MaxUint16, Far: math.MinInt64, Bytes: []byte{200}, Rate: 1 << 40,
			Inner: &counted{Tiny: 127}, ByName: map[string]int32{"x": -5}}
		if got, err := Call[counted](t.Context(), client, "count", fits); err != nil || !reflect.DeepEqual(got, fits) {
			t.Errorf("%+v, %v", got, err)
		}
		elsewhere := object{"any": uint64(1 << 63), "unknown": 1 << 40}
		if got, err := Call[counted](t.Context(), client, "count", elsewhere); err != nil || got.Any != uint64(1<<63) {
			t.Errorf("what no integer takes: %+v, %v", got, err)
		}
		if _, err := Call[int8](t.Context(), client, "large", struct{}{}); CodeOf(err) != CodeInternal || IsRemote(err) {
			t.Errorf("a result: %v", err)
		}
	})
}

func TestSpans(t *testing.T) {
	type list struct {
		Value int16
		Next  *list
	}
	type embedded struct{ list }
	for _, c := range []struct {
		of   any
		want span
	}{
		{"", everything()},
		{struct{ X []byte }{}, everything()},
		{[16]byte{}, everything()},
		{struct{ x int8 }{}, everything()},
		{0, span{math.MinInt64, math.MaxInt64}},
		{uint64(0), span{0, math.MaxUint64}},
		{[]int8(nil), span{-128, 127}},
		{map[uint8]string(nil), span{0, 255}},
		{struct {
			A int32
			B uint64
		}{}, span{0, math.MaxInt32}},
		{list{}, span{math.MinInt16, math.MaxInt16}},
		{embedded{}, span{math.MinInt16, math.MaxInt16}},
	} {
		for range 2 { // the second is the one that is kept
			if got := spanOf(reflect.TypeOf(c.of)); got != c.want {
				t.Errorf("%T: %v, want %v", c.of, got, c.want)
			}
		}
	}
}

// Whatever msgpack comes, integers are as they were sent, or refused.
func FuzzIntegers(f *testing.F) {
	for _, n := range []int64{0, -1, 127, 128, -129, math.MaxUint16 + 1, math.MinInt64, math.MaxInt64} {
		f.Add(n, uint64(n))
	}
	f.Fuzz(func(t *testing.T, signed int64, unsigned uint64) {
		var got counted
		err := decode(bus.Msgpack(map[string]any{"tiny": signed, "far": unsigned}), &got)
		fits := signed == int64(int8(signed)) && unsigned <= math.MaxInt64
		switch {
		case fits && (err != nil || int64(got.Tiny) != signed || uint64(got.Far) != unsigned):
			t.Errorf("%d and %d: %+v, %v", signed, unsigned, got, err)
		case !fits && err == nil:
			t.Errorf("%d and %d became %+v", signed, unsigned, got)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	body := bus.Msgpack(terms{300, -5})
	for b.Loop() {
		var in terms
		if err := decode(body, &in); err != nil && !errors.Is(err, bus.ErrBody) {
			b.Fatal(err)
		}
	}
}
