package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

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
