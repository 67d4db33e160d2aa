package rpc

import (
	"encoding/json"
	"reflect"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// schemaOf describes a type as JSON schema; nil where it can't be (a type that contains itself, say).
func schemaOf(t reflect.Type) json.RawMessage {
	if t == reflect.TypeFor[bus.Body]() {
		return nil
	}
	schema, err := jsonschema.ForType(t, &jsonschema.ForOptions{IgnoreInvalidTypes: true, TypeSchemas: knownSchemas()})
	if err != nil {
		return nil
	}
	p, err := json.Marshal(schema)
	if err != nil {
		return nil
	}
	return p
}

// knownSchemas are of types whose JSON is not what their Go type says.
func knownSchemas() map[reflect.Type]*jsonschema.Schema {
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[uuid.UUID]():       {Type: "string", Format: "uuid"},
		reflect.TypeFor[[]byte]():          {Type: "string", ContentEncoding: "base64"},
		reflect.TypeFor[json.RawMessage](): {},
		reflect.TypeFor[json.Number]():     {Type: "number"},
	}
}
