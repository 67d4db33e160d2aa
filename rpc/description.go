package rpc

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// A Method is one method of the cluster, with all of its instances.
type Method struct {
	Name        string          `json:"name"`
	Version     string          `json:"version,omitempty"`
	Description string          `json:"description,omitempty"`
	Idempotent  bool            `json:"idempotent"`
	Streaming   bool            `json:"streaming"`         // it answers with a stream
	Request     json.RawMessage `json:"request,omitempty"` // JSON schema of the argument
	Reply       json.RawMessage `json:"reply,omitempty"`   // JSON schema of the result, or of each item of a stream
	Instances   []Instance      `json:"instances"`         // by the node's name
}

// An Instance is one node that serves a method.
type Instance struct {
	Node     string    `json:"node"`
	NodeID   uuid.UUID `json:"node_id"`
	Version  string    `json:"version,omitempty"` // of the method there
	Draining bool      `json:"draining"`
	Stats    Stats     `json:"stats"`
}

// Fixed bounds of what a method says about itself, in bytes of UTF-8. By default that is nothing; if it is more, Start returns an error.
const (
	// MaxVersion bounds its Version.
	MaxVersion = 64
	// MaxDescription bounds its Description.
	MaxDescription = 1024
)

const (
	maxSchema      = 64 << 10
	reservedPrefix = "ackbus." // of the names of methods that are not the user's
)

// description is what an instance tells of one method.
type description struct {
	Name        string          `json:"name"`
	Version     string          `json:"version,omitempty"`
	Description string          `json:"description,omitempty"`
	Idempotent  bool            `json:"idempotent,omitempty"`
	Streaming   bool            `json:"streaming,omitempty"`
	Request     json.RawMessage `json:"request,omitempty"`
	Reply       json.RawMessage `json:"reply,omitempty"`
	Stats       *statsWire      `json:"stats,omitempty"`
}

// brief is what a caller needs to know.
func (d *description) brief() description {
	return description{Name: d.Name, Idempotent: d.Idempotent, Streaming: d.Streaming}
}

// check refuses what can't be served, or comes from a node that should not be believed.
func (d *description) check() error {
	if err := checkMethod(d.Name); err != nil {
		return err
	}
	for _, text := range []struct {
		what, is string
		most     int
	}{{"version", d.Version, MaxVersion}, {"description", d.Description, MaxDescription}} {
		if len(text.is) > text.most || !utf8.ValidString(text.is) {
			return fmt.Errorf("the %s of method %q has %d bytes; want %d of UTF-8 at most", text.what, d.Name, len(text.is), text.most)
		}
	}
	for _, schema := range []json.RawMessage{d.Request, d.Reply} {
		if len(schema) > maxSchema || len(schema) > 0 && !json.Valid(schema) {
			return fmt.Errorf("a schema of method %q has %d bytes; want valid JSON of %d at most", d.Name, len(schema), maxSchema)
		}
	}
	return nil
}

// checkMethod refuses names that can't be addressed, and those that are the bus's own.
func checkMethod(name string) error {
	switch {
	case name == "" || len(name) > bus.MaxMethod:
		return fmt.Errorf("the name of a method has %d bytes, want 1 to %d", len(name), bus.MaxMethod)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the name of a method, %q, holds what is not text", clip(name))
	case strings.Contains(name, "@"):
		return fmt.Errorf("the name of a method, %q, holds an @", clip(name))
	case strings.HasPrefix(name, reservedPrefix):
		return fmt.Errorf("the name of a method, %q, begins with %s", clip(name), reservedPrefix)
	}
	return nil
}

// clip shortens text from outside before it goes into an error.
func clip(s string) string {
	if len(s) <= 64 {
		return s
	}
	return strings.ToValidUTF8(s[:64], "") + "…"
}
