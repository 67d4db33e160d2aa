// Package plain makes errors fit for readers who know nothing of the packages that they come from: callers of the HTTP API, clients
// of the gateway, people at a terminal.
package plain

import (
	"errors"
	"regexp"
	"strings"
)

// packages matches their names where a part of an error begins.
var packages = regexp.MustCompile(`(^|: |; |\()(?:(?:api|bus|client|gateway|relay|rpc|worker): )+`)

// Text is what an error says, in one line and without the names of packages.
func Text(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	return packages.ReplaceAllString(strings.Join(lines, "; "), "$1")
}

// About is Text of the part of the error that tells of the target, without the operations around it. The target is one that
// errors.Is finds in the error.
func About(err, target error) string {
	for {
		inner := errors.Unwrap(err)
		//nolint:errorlint // what wraps the target says more than the target itself
		if inner == nil || inner == target || !errors.Is(inner, target) {
			return Text(err)
		}
		err = inner
	}
}

// Error is an error whose text is that of Text, and which wraps the original.
func Error(err error) error { return &plainError{err} }

type plainError struct{ err error }

func (e *plainError) Error() string { return Text(e.err) }
func (e *plainError) Unwrap() error { return e.err }
