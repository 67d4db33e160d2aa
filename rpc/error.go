package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// An Error is a failure that was found out, or made, in this process. A handler returns one to choose what its caller reads.
type Error struct {
	Code    Code   // empty counts as CodeInternal
	Message string // for people
	Details any    // for programs: any value that a body can hold, or a bus.Body; nil: none
	Cause   error  // what it comes from; its texts travel, nil: nothing

	notRun bool // the handler certainly did not run
}

// A RemoteError is what an instance answered.
type RemoteError struct {
	Code    Code
	Message string
	Details bus.Body  // as the handler gave them; zero: none
	Causes  []string  // the texts of the error that it comes from, outermost first
	Node    string    // the node's name
	NodeID  uuid.UUID // the node

	notRun bool // it was refused before the handler
}

// Errorf makes an Error whose message is formatted; %w sets its cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// Error is the code and the message.
func (e *Error) Error() string { return says(e.code(), e.Message) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// As lets a *bus.Rejection be found, so that packages which know the bus alone can read code and message.
func (e *Error) As(target any) bool { return asRejection(target, e.code(), e.Message) }

func (e *Error) code() Code { return cmp.Or(e.Code, CodeInternal) }

// Error is the node, the code and the message.
func (e *RemoteError) Error() string {
	return "node " + cmp.Or(e.Node, e.NodeID.String()) + ": " + says(e.Code, e.Message)
}

// As lets a *bus.Rejection be found, as of an Error.
func (e *RemoteError) As(target any) bool { return asRejection(target, e.Code, e.Message) }

func says(code Code, message string) string {
	if message == "" {
		return "rpc: " + string(code)
	}
	return "rpc: " + string(code) + ": " + message
}

func asRejection(target any, code Code, message string) bool {
	to, wanted := target.(**bus.Rejection)
	if wanted {
		*to = &bus.Rejection{Code: string(code), Message: message}
	}
	return wanted
}

// CodeOf is the code of the first error in err's tree that has one: an Error, a RemoteError or a bus.Rejection. For the errors of an
// ended context it is CodeTimeout or CodeCancelled, for any other CodeInternal, for nil the empty code.
func CodeOf(err error) Code {
	code, _, _ := Explain(err)
	return code
}

// IsRemote reports whether an instance answered with the error.
func IsRemote(err error) bool {
	_, remote := errors.AsType[*RemoteError](err)
	return remote
}

// MayHaveRun reports whether the handler may have run although the call failed with err. It is false where it certainly did
// not, so the call may be made again; for errors that are not of this package it is true. Of joined errors one is enough.
func MayHaveRun(err error) bool {
	may, known := mayHaveRun(err)
	return may || !known && err != nil
}

// mayHaveRun looks through the tree of errors; known says that one of this package is in it.
func mayHaveRun(err error) (may, known bool) {
	switch e := err.(type) { //nolint:errorlint // it goes through the tree by itself
	case *Error:
		return !e.notRun, true
	case *RemoteError:
		return !e.notRun, true
	case interface{ Unwrap() error }:
		return mayHaveRun(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			ran, ours := mayHaveRun(one)
			may, known = may || ran, known || ours
		}
	}
	return may, known
}

// Explain gives what an answer to somebody outside says of the error: its code, its message and its details, which may be none.
// The message of a RemoteError does not name the node.
func Explain(err error) (code Code, message string, details bus.Body) {
	if err == nil {
		return "", "", bus.Body{}
	}
	if local, ok := errors.AsType[*Error](err); ok {
		return local.code(), cmp.Or(local.Message, string(local.code())), detailsBody(local.Details, bus.FormatJSON)
	}
	if remote, ok := errors.AsType[*RemoteError](err); ok {
		return remote.Code, cmp.Or(remote.Message, string(remote.Code)), remote.Details
	}
	if refusal, ok := errors.AsType[*bus.Rejection](err); ok && refusal != nil {
		return Code(refusal.Code), cmp.Or(refusal.Message, refusal.Code), bus.Body{}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return CodeTimeout, err.Error(), bus.Body{}
	case errors.Is(err, context.Canceled), errors.Is(err, bus.ErrGivenUp):
		return CodeCancelled, err.Error(), bus.Body{}
	}
	return CodeInternal, err.Error(), bus.Body{}
}
