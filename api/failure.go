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
	"github.com/ackbus/ackbus/internal/plain"
	"github.com/ackbus/ackbus/worker"
)

// writeTimeout bounds the writing of one answer.
const writeTimeout = 30 * time.Second

// codeUnavailable says that Redis can't be reached, or that the node is going away.
const codeUnavailable = "unavailable"

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

// failures is what the errors of the bus are to a caller, in the order in which they are asked. A text without a field or a remedy of its
// own is what the error says.
var failures = []struct {
	err    error
	status int
	code   string
	field  string // that the error is about, or empty
	text   string // in place of the error's own; empty: that one
}{
	{worker.ErrName, http.StatusBadRequest, "bad_request", "", ""},
	{worker.ErrOption, http.StatusBadRequest, "bad_request", "", ""},
	{worker.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large", "data", ""},
	{worker.ErrNoJob, http.StatusNotFound, "not_found", "", ""},
	{worker.ErrQueueFull, http.StatusServiceUnavailable, "overloaded", "", ""},
	{worker.ErrMemory, http.StatusServiceUnavailable, "overloaded", "", ""},
	{worker.ErrUnavailable, http.StatusServiceUnavailable, codeUnavailable, "", ""},
	{worker.ErrClosed, http.StatusServiceUnavailable, codeUnavailable, "", "the node is closing; try another one"},
	{worker.ErrUnknown, http.StatusGatewayTimeout, "unknown", "", "it may have been done, and may not: Redis fell silent"},
	{bus.ErrIDConflict, http.StatusUnprocessableEntity, "id_conflict", "id",
		"was used for other content; want another one (an Idempotency-Key stands for an id)"},
	{bus.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large", "data", ""},
	{bus.ErrOverloaded, http.StatusServiceUnavailable, "overloaded", "to", "too much is on its way to this address; try again later"},
	{bus.ErrUnavailable, http.StatusServiceUnavailable, codeUnavailable, "", ""},
	{bus.ErrBusClosed, http.StatusServiceUnavailable, codeUnavailable, "", "the node is closing; try another one"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, codeUnavailable, "", "Redis did not take it in time; nothing was sent"},
	{context.Canceled, http.StatusServiceUnavailable, codeUnavailable, "", "the caller hung up"}, // nobody reads it
	{bus.ErrUnknown, http.StatusGatewayTimeout, "unknown", "", "it may have been sent, and may not: Redis fell silent"},
	{bus.ErrAddress, http.StatusBadRequest, "bad_request", "to", ""},
	{bus.ErrBody, http.StatusBadRequest, "bad_request", "data", ""},
}

// failureOf says what an error is to the caller.
func failureOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	for _, known := range failures {
		if !errors.Is(err, known.err) {
			continue
		}
		text := known.text
		if text == "" {
			text = plain.About(err, known.err)
		}
		if known.field != "" {
			text = known.field + ": " + text
		}
		return &failure{known.status, known.code, text}
	}
	return &failure{http.StatusInternalServerError, "internal", plain.Text(err)}
}

func writeFailure(w http.ResponseWriter, r *http.Request, f *failure) {
	drain(w, r)
	if f.status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // the rest of the body is not worth reading
	}
	statusHeaders(w, f.status)
	var body struct {
		Error bus.Rejection `json:"error"`
	}
	body.Error = bus.Rejection{Code: f.code, Message: f.message}
	_ = writeJSON(w, r, f.status, body) // two strings always encode
}

// statusHeaders sets what goes along with some statuses.
func statusHeaders(w http.ResponseWriter, status int) {
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="ackbus"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
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
