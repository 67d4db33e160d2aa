package bus

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Errors of a request whose message was handed over, one for each outcome that did not meet the requirement. They come wrapped
// in a *ReceiptError.
var (
	ErrNoReceiver  = errors.New("nobody is there")
	ErrRejected    = errors.New("rejected")
	ErrUnconfirmed = errors.New("written, but not confirmed in time")
	ErrClosed      = errors.New("the socket closed before it confirmed")
	ErrDropped     = errors.New("dropped before it was written")
	ErrExpired     = errors.New("time ran out before it was written")
	ErrUnknown     = errors.New("unknown: a node fell silent")
	ErrTooFew      = errors.New("confirmed by fewer than required")
)

// Errors of a call that sent nothing.
var (
	ErrUnavailable = errors.New("bus: Redis can't be reached")
	ErrTooLarge    = errors.New("bus: message too large")
	ErrBusClosed   = errors.New("bus: closed")
	ErrOverloaded  = errors.New("bus: overloaded")
	ErrIDConflict  = errors.New("bus: the ID was used for other content")
)

var outcomeErrors = [outcomes]error{OutcomeRejected: ErrRejected, OutcomeUnconfirmed: ErrUnconfirmed, OutcomeClosed: ErrClosed,
	OutcomeDropped: ErrDropped, OutcomeExpired: ErrExpired, OutcomeUnknown: ErrUnknown, OutcomeTooFew: ErrTooFew,
	OutcomeNoReceiver: ErrNoReceiver}

// Err is the error that stands for an outcome in which no requirement was met; nil for the stages and for confirmed.
func (o Outcome) Err() error {
	if o < outcomes {
		return outcomeErrors[o]
	}
	return nil
}

// A ReceiptError is the error of a request that did not meet its requirement. It carries the receipt, and matches the outcome's error
// and, where the caller's context ended the request, that context's cause.
type ReceiptError struct {
	Receipt *Receipt
	Cause   error // why the request was given up early, or nil
}

// Error names the address, the outcome, and the first refusal if there is one.
func (e *ReceiptError) Error() string {
	r := e.Receipt
	var refusal, cause string
	if i := slices.IndexFunc(r.Deliveries, func(d Delivery) bool { return d.Error != nil }); i >= 0 {
		refusal = ": " + r.Deliveries[i].Error.Error()
	}
	if e.Cause != nil {
		cause = ": " + e.Cause.Error()
	}
	return fmt.Sprintf("bus: request %s to %s: %v%s%s", r.Event, r.To, r.Outcome.Err(), refusal, cause)
}

// Unwrap gives the outcome's error and the cause.
func (e *ReceiptError) Unwrap() []error {
	var wrapped []error
	for _, err := range []error{e.Receipt.Outcome.Err(), e.Cause} {
		if err != nil {
			wrapped = append(wrapped, err)
		}
	}
	return wrapped
}

// The codes of a Rejection that the bus itself gives. Endpoints choose their own besides.
const (
	CodeOverloaded = "overloaded" // a queue was full
	CodeInternal   = "internal"   // the handler panicked
	CodeRejected   = "rejected"   // an endpoint refused without a code
	CodeIDConflict = "id_conflict"
)

// A Rejection is an endpoint's refusal. A handler returns one (see Reject) to choose the code that the publisher reads; of any
// other error the publisher reads the text, under CodeRejected.
//
//nolint:errname // it is what an endpoint says, and only incidentally an error
type Rejection struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// Reject makes the error with which a handler refuses a message. An empty code means CodeRejected.
func Reject(code, message string) error {
	return &Rejection{Code: cmp.Or(code, CodeRejected), Message: message}
}

// Error is the code and the message.
func (r *Rejection) Error() string {
	if r.Message == "" {
		return r.Code
	}
	return r.Code + ": " + r.Message
}

// rejectionOf turns a handler's error into what the publisher reads.
func rejectionOf(err error) Rejection {
	switch r, ok := errors.AsType[*Rejection](err); {
	case ok && r == nil:
		return Rejection{Code: CodeRejected}
	case ok:
		return *r
	}
	return Rejection{Code: CodeRejected, Message: err.Error()}
}
