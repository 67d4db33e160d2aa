package rpc

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"

	"github.com/tinylib/msgp/msgp"

	"github.com/ackbus/ackbus/bus"
)

// The msgpack library cuts an integer that is too large for its field down to the field's bits: 300 becomes 44 in an int8. JSON refuses
// it, and a method must not run with another argument than it was given because its caller speaks msgpack.

// span is the integers that every integer of a type can hold.
type span struct {
	least int64
	most  uint64
}

// everything is the span of a type without integers.
func everything() span { return span{math.MinInt64, math.MaxUint64} }

// holds reports whether the integers in well-formed msgpack all lie in the span. Arrays and maps are looked through as what they hold.
func (s span) holds(p []byte) bool {
	for len(p) > 0 {
		var err error
		var signed int64
		var unsigned uint64
		switch msgp.NextType(p) {
		case msgp.IntType:
			signed, p, err = msgp.ReadInt64Bytes(p)
		case msgp.UintType:
			unsigned, p, err = msgp.ReadUint64Bytes(p)
		case msgp.ArrayType:
			_, p, err = msgp.ReadArrayHeaderBytes(p)
		case msgp.MapType:
			_, p, err = msgp.ReadMapHeaderBytes(p)
		default:
			p, err = msgp.Skip(p)
		}
		if err != nil || signed < s.least || signed > 0 && uint64(signed) > s.most || unsigned > s.most {
			return false
		}
	}
	return true
}

// knownSpans are those of the types that were decoded into so far, by reflect.Type.
var knownSpans sync.Map //nolint:gochecknoglobals // a cache of what never changes

// spanOf is the span of a type.
func spanOf(t reflect.Type) span {
	if known, ok := knownSpans.Load(t); ok {
		return known.(span) //nolint:forcetypeassert // it holds nothing else
	}
	s := everything().narrowed(t, make(map[reflect.Type]bool))
	knownSpans.Store(t, s)
	return s
}

// narrowed is the span that is the type's as well. seen ends types that contain themselves.
func (s span) narrowed(t reflect.Type, seen map[reflect.Type]bool) span {
	if seen[t] {
		return s
	}
	seen[t] = true
	switch t.Kind() { //nolint:exhaustive // the others hold no integers
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.least = max(s.least, math.MinInt64>>(64-t.Bits()))
		s.most = min(s.most, math.MaxInt64>>(64-t.Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		s.least, s.most = max(s.least, 0), min(s.most, math.MaxUint64>>(64-t.Bits()))
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() != reflect.Uint8 { // bytes are no array
			return s.narrowed(t.Elem(), seen)
		}
	case reflect.Pointer:
		return s.narrowed(t.Elem(), seen)
	case reflect.Map:
		return s.narrowed(t.Key(), seen).narrowed(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if f.IsExported() || f.Anonymous {
				s = s.narrowed(f.Type, seen)
			}
		}
	}
	return s
}

// checkIntegers refuses what was decoded into v, a pointer, where an integer did not fit. Most bodies hold none that is too large for any
// integer of the type; the others are looked at as JSON, whose decoder says which field it is.
func checkIntegers(p []byte, v any) error {
	t := reflect.TypeOf(v).Elem()
	if s := spanOf(t); s == everything() || s.holds(p) {
		return nil
	}
	wrong := misfit(p, reflect.New(t).Interface())
	if wrong != nil && strings.HasPrefix(wrong.Value, "number ") { // of a number that has the wrong kind alone it says "number"
		return wrong
	}
	return nil
}

// misfit is what the decoder of JSON says does not fit where msgpack is read into v. It is nil where all does, and where the msgpack
// has no JSON.
func misfit(p []byte, v any) *json.UnmarshalTypeError {
	var value any
	_, err := bus.Encoded(bus.FormatMsgpack, p)
	if err == nil {
		err = unpack(p, &value, false)
	}
	var text []byte
	if err == nil {
		text, err = json.Marshal(value)
	}
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	wrong, _ := errors.AsType[*json.UnmarshalTypeError](err)
	return wrong
}
