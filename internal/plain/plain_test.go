package plain_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/plain"
)

func TestMain(m *testing.M) { leak.Main(m) }

var errTarget = errors.New("bus: Redis can't be reached")

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"bus: bad address":                       "bad address",
		"bus: open: relay: not sent: bus: x":     "open: not sent: x",
		"gateway: bus: both":                     "both",
		"one\nbus: two\r\nrelay: three\n":        "one; two; three",
		"closed (relay: closed)":                 "closed (closed)",
		`bad user "bus: 42": on the omnibus: no`: `bad user "bus: 42": on the omnibus: no`,
		"":                                       "",
	} {
		if got := plain.Text(errors.New(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestAbout(t *testing.T) {
	detailed := fmt.Errorf("%w: %w", errTarget, errors.New("relay: not sent"))
	for want, err := range map[string]error{
		"Redis can't be reached":            errTarget,
		"from here: Redis can't be reached": fmt.Errorf("bus: request e to all: %w", fmt.Errorf("from here: %w", errTarget)),
		"Redis can't be reached: not sent":  fmt.Errorf("gateway: sockets: %w", fmt.Errorf("bus: request e to all: %w", detailed)),
		"Redis can't be reached; too late":  fmt.Errorf("publish: %w", errors.Join(errTarget, errors.New("too late"))),
	} {
		if got := plain.About(err, errTarget); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

func TestError(t *testing.T) {
	err := plain.Error(fmt.Errorf("bus: open: %w", errTarget))
	if err.Error() != "open: Redis can't be reached" || !errors.Is(err, errTarget) {
		t.Errorf("%v", err)
	}
}
