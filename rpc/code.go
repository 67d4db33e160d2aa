package rpc

import "net/http"

// A Code says why a call failed, for programs. A handler may use codes of its own besides these: lower case and underscores, 255 bytes.
type Code string

// The codes that this package gives. A handler may use them as well.
const (
	CodeCancelled     Code = "cancelled"      // the caller gave up; the method may have run
	CodeTimeout       Code = "timeout"        // the deadline came first; the method may have run
	CodeUnknown       Code = "unknown"        // the instance fell silent; the method may have run
	CodeBadRequest    Code = "bad_request"    // the argument can't be read, or is not allowed
	CodeUnauthorized  Code = "unauthorized"   // nobody knows who the caller is
	CodeForbidden     Code = "forbidden"      // the caller may not do this
	CodeNotFound      Code = "not_found"      // what the argument names does not exist
	CodeUnknownMethod Code = "unknown_method" // nobody serves the method
	CodeAlreadyExists Code = "already_exists" // what the argument would make is there already
	CodeTooLarge      Code = "too_large"      // the argument or the result does not fit into a message
	CodeRateLimited   Code = "rate_limited"   // the caller asks too often
	CodeRejected      Code = "rejected"       // refused, without a code of its own
	CodeInternal      Code = "internal"       // the handler panicked, or failed without a code
	CodeOverloaded    Code = "overloaded"     // a queue is full
	CodeDraining      Code = "draining"       // the instance takes no more calls
	CodeUnavailable   Code = "unavailable"    // Redis, or every instance of the method, can't be reached
)

// statuses is the one place that says how a code shows over HTTP.
var statuses = map[Code]int{
	CodeCancelled:     499, // the client closed the request: not in RFC 9110, but what proxies log
	CodeTimeout:       http.StatusGatewayTimeout,
	CodeUnknown:       http.StatusGatewayTimeout,
	CodeBadRequest:    http.StatusBadRequest,
	CodeUnauthorized:  http.StatusUnauthorized,
	CodeForbidden:     http.StatusForbidden,
	CodeNotFound:      http.StatusNotFound,
	CodeUnknownMethod: http.StatusNotFound,
	CodeAlreadyExists: http.StatusConflict,
	CodeTooLarge:      http.StatusRequestEntityTooLarge,
	CodeRateLimited:   http.StatusTooManyRequests,
	CodeRejected:      http.StatusUnprocessableEntity,
	CodeInternal:      http.StatusInternalServerError,
	CodeOverloaded:    http.StatusServiceUnavailable,
	CodeDraining:      http.StatusServiceUnavailable,
	CodeUnavailable:   http.StatusServiceUnavailable,
}

// HTTPStatus is the status that an HTTP answer with the code has: 200 for no code, 422 for a code that is not one of this package's.
func (c Code) HTTPStatus() int {
	if c == "" {
		return http.StatusOK
	}
	if status, known := statuses[c]; known {
		return status
	}
	return http.StatusUnprocessableEntity
}
