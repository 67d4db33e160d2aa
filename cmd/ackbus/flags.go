package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
)

// A parsedFlag is a flag whose text is checked where it is set, so that the error names the flag or the environment variable.
type parsedFlag[T any] struct {
	to    *T
	text  string
	kind  string
	parse func(string) (T, error)
}

// parsed adds a flag whose value parse reads. The default must be readable, or empty for the zero value.
func parsed[T any](flags *pflag.FlagSet, to *T, name, kind, absent, usage string, parse func(string) (T, error)) {
	f := &parsedFlag[T]{to: to, kind: kind, parse: parse}
	if absent != "" {
		if err := f.Set(absent); err != nil {
			panic(fmt.Sprintf("flag %s: bad default: %v", name, err)) // a mistake in this program, seen by every test
		}
	}
	flags.Var(f, name, usage)
}

func (f *parsedFlag[T]) Set(text string) error {
	value, err := f.parse(text)
	if err != nil {
		return plain.Error(err)
	}
	*f.to, f.text = value, text
	return nil
}

func (f *parsedFlag[T]) String() string { return f.text }
func (f *parsedFlag[T]) Type() string   { return f.kind }

// oneOf reads one of the words.
func oneOf(words ...string) func(string) (string, error) {
	return func(text string) (string, error) {
		if slices.Contains(words, text) {
			return text, nil
		}
		return "", fmt.Errorf("want %s", strings.Join(words, " or "))
	}
}

// nodeName reads the readable name of a node.
func nodeName(text string) (string, error) {
	if _, err := bus.ParseAddress(bus.NodeNamed(text).String()); err != nil {
		return "", fmt.Errorf("want 1 to %d bytes of UTF-8 without control characters", bus.MaxName)
	}
	return text, nil
}

// shortText reads a text of so many bytes at most.
func shortText(most int) func(string) (string, error) {
	return func(text string) (string, error) {
		if len(text) > most || !utf8.ValidString(text) {
			return "", fmt.Errorf("want %d bytes of UTF-8 at most", most)
		}
		return text, nil
	}
}

// between reads a duration between the two, both allowed.
func between(least, most time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if err != nil || d < least || d > most {
			return 0, fmt.Errorf("want a duration from %v to %v, as in 5s or 100ms", least, most)
		}
		return d, nil
	}
}
