package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ackbus/ackbus/bus"
)

// A frame is one frame of a client, decoded. Nothing in it points into the buffer that it was read from.
type frame struct {
	Type    string
	ID      string
	Ref     []byte // encoded as it came: a string or a number, or nil
	Code    string
	Message string
	Token   string
	User    string
	Groups  []string
	Group   string
	Method  string
	To      string
	Event   string
	Receipt bool
	Timeout int64 // milliseconds; 0: the default
	Body    bus.Body

	address bus.Address // of join and leave the group, of send where it goes
}

// Bounds of what a frame may say.
const (
	maxRef      = 256     // bytes of a reference, encoded
	maxCode     = 255     // bytes of a nack's code
	maxReason   = 4096    // bytes of a nack's message
	maxEvent    = 255     // bytes of the name of an event
	maxTimeout  = 600_000 // milliseconds
	waitDefault = 5 * time.Second
)

// Errors of decoding. Their text reaches the client.
var (
	errNotObject = errors.New("a frame is one object with a type")
	errRef       = fmt.Errorf("ref must be a string or a number of at most %d bytes", maxRef)
	errEvent     = fmt.Errorf("event must have 1 to %d bytes of UTF-8 without control characters", maxEvent)
	errTimeout   = fmt.Errorf("timeout_ms must be a whole number from 1 to %d, or 0 for the default", maxTimeout)
)

// errType says what the value of a field must be.
func errType(field string) error {
	want := "a string"
	switch field {
	case "receipt":
		want = "true or false"
	case "groups":
		want = "a list of strings"
	}
	return fmt.Errorf("%s must be %s", field, want)
}

// decode reads a frame in the carrier's format. The reference is kept also where an error is returned, if it could be read.
func decode(format bus.Format, p []byte, f *frame) error {
	var err error
	if format == bus.FormatMsgpack {
		err = decodeMsgpack(p, f)
	} else {
		err = decodeJSON(p, f)
	}
	if err != nil {
		return err
	}
	return f.check()
}

// check holds the frame against what its type needs.
func (f *frame) check() error {
	switch f.Type {
	case "ack", "nack":
		return f.need("id", f.ID)
	case "hello", "ping":
		return nil
	case "join", "leave":
		return first(f.needRef(), f.need("group", f.Group), f.parse("group", "group:"+f.Group))
	case "call":
		return first(f.needRef(), f.need("method", f.Method), f.checkTimeout())
	case "send":
		return first(f.needRef(), f.need("to", f.To), f.need("event", f.Event), f.checkEvent(), f.checkTimeout(), f.parse("to", f.To))
	case "":
		return errNotObject
	}
	return fmt.Errorf("unknown type %q", clip(f.Type))
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// parse reads the address that a field stands for.
func (f *frame) parse(field, text string) (err error) {
	f.address, err = ParseTarget(text)
	return inField(field, err)
}

// inField puts the field's name before what is wrong with it.
func inField(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (f *frame) checkEvent() error {
	if len(f.Event) > maxEvent || !utf8.ValidString(f.Event) || strings.ContainsFunc(f.Event, unicode.IsControl) {
		return errEvent
	}
	return nil
}

func (f *frame) need(name, value string) error {
	if value == "" {
		return fmt.Errorf("%s needs %s", f.Type, name)
	}
	return nil
}

func (f *frame) needRef() error {
	if f.Ref == nil {
		return fmt.Errorf("%s needs ref", f.Type)
	}
	return nil
}

func (f *frame) checkTimeout() error {
	if f.Timeout < 0 || f.Timeout > maxTimeout {
		return errTimeout
	}
	return nil
}

// wait is how long the client is willing to wait.
func (f *frame) wait() time.Duration {
	if f.Timeout == 0 {
		return waitDefault
	}
	return time.Duration(f.Timeout) * time.Millisecond
}

// cost is what the frame holds in memory while it is worked on.
func (f *frame) cost() int { return len(f.Body.Raw()) + len(f.Event) + len(f.To) + len(f.Method) + 256 }

// clip shortens text from outside before it goes back or into a log.
func clip(s string) string { return clipTo(s, 64) }

func clipTo(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
