package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// writeTimeout bounds the writing of one answer.
const writeTimeout = 30 * time.Second

// A failure is an answer in which nothing was sent: its status, and its code and message for the body.
type failure struct {
	status  int
	code    string
	message string
}

func (f *failure) Error() string { return f.code + ": " + f.message }

// badRequest is input that is wrong; the message names the field and says what is allowed.
func badRequest(format string, args ...any) *failure {
	return &failure{http.StatusBadRequest, "bad_request", fmt.Sprintf(format, args...)}
}

func tooLarge(format string, args ...any) *failure {
	return &failure{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf(format, args...)}
}

// failures is what the errors of the bus are to a caller, in the order in which they are asked.
var failures = []struct {
	err    error
	status int
	code   string
}{
	{bus.ErrIDConflict, http.StatusUnprocessableEntity, "id_conflict"},
	{bus.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large"},
	{bus.ErrOverloaded, http.StatusServiceUnavailable, "overloaded"},
	{bus.ErrUnavailable, http.StatusServiceUnavailable, "unavailable"},
	{bus.ErrBusClosed, http.StatusServiceUnavailable, "unavailable"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "unavailable"},
	{context.Canceled, http.StatusServiceUnavailable, "unavailable"}, // the caller has hung up: nobody reads it
	{bus.ErrUnknown, http.StatusGatewayTimeout, "unknown"},
	{bus.ErrAddress, http.StatusBadRequest, "bad_request"},
	{bus.ErrBody, http.StatusBadRequest, "bad_request"},
}

// failureOf says what an error is to the caller.
func failureOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	for _, known := range failures {
		if errors.Is(err, known.err) {
			return &failure{known.status, known.code, plainText(err)}
		}
	}
	return &failure{http.StatusInternalServerError, "internal", plainText(err)}
}

// plainText is an error without the name of the Go package that it comes from.
func plainText(err error) string { return strings.TrimPrefix(err.Error(), "bus: ") }

func writeFailure(w http.ResponseWriter, r *http.Request, f *failure) {
	switch f.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="ackbus"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case http.StatusRequestEntityTooLarge:
		w.Header().Set("Connection", "close") // the rest of the body is not worth reading
	}
	var body struct {
		Error bus.Rejection `json:"error"`
	}
	body.Error = bus.Rejection{Code: f.code, Message: f.message}
	_ = writeJSON(w, r, f.status, body) // two strings always encode
}

// writeJSON answers with a value. What can't be encoded is an error, and nothing was written then.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("api: encode the answer: %w", err)
	}
	write(w, r, status, bytes.TrimSuffix(body.Bytes(), []byte("\n")))
	return nil
}

// write sends one JSON answer. A caller that hangs up misses it; there is nobody to tell.
func write(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // a recorder in a test has none
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n'))
	}
}

// clip shortens text from outside before it goes into a message.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
