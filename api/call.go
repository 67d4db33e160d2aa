package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
	"github.com/ackbus/ackbus/rpc"
)

// A CallFailure says why a call has no result: its code, a message for people, and details for programs where there are some.
type CallFailure struct {
	Code    rpc.Code        `json:"code"`
	Message string          `json:"message"`
	Details json.RawMessage `json:"details,omitempty"`
}

// CallFailureOf is what an error of package rpc says to somebody outside.
func CallFailureOf(err error) CallFailure {
	code, message, details := rpc.Explain(err)
	f := CallFailure{Code: code, Message: plain.Text(errors.New(message))}
	if !details.IsZero() {
		f.Details, _ = details.AsJSON() // what can't be translated is left out
	}
	return f
}

// call calls a method with the body as its argument, and answers with the result.
func (a *API) call(w http.ResponseWriter, r *http.Request) error {
	timeout, err := timeoutParameter(r)
	if err != nil {
		return err
	}
	raw, done, err := a.intake.read(w, r, int64(a.opts.MaxData+bodySlack))
	if err != nil {
		return err
	}
	defer done()
	argument, err := argumentOf(raw, a.opts.MaxData)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	var receipt *bus.Receipt
	reply, err := a.opts.Calls.Call(ctx, r.PathValue("method"), argument, rpc.Trace(&receipt))
	a.recent.note(receipt)
	if err != nil {
		return writeCallFailure(w, r, err)
	}
	result, err := reply.AsJSON()
	if err != nil {
		return &failure{http.StatusInternalServerError, "internal", "the result can't be translated to JSON: " + plain.Text(err)}
	}
	return writeJSON(w, r, http.StatusOK, result)
}

// argumentOf reads the body of a call; none is no argument.
func argumentOf(raw []byte, most int) (bus.Body, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return bus.Body{}, nil
	}
	body, err := boundedData(raw, most)
	if err != nil {
		return bus.Body{}, inField("the body", err)
	}
	return body, nil
}

// timeoutParameter reads ?timeout_ms=.
func timeoutParameter(r *http.Request) (time.Duration, error) {
	values, err := parameters(r, "timeout_ms")
	if err != nil {
		return 0, err
	}
	ms, err := wholeParameter(values, "timeout_ms", 0, int(maxTimeout/time.Millisecond), 0)
	if ms == 0 {
		return defaultTimeout, err
	}
	return time.Duration(ms) * time.Millisecond, err
}

func writeCallFailure(w http.ResponseWriter, r *http.Request, err error) error {
	status := rpc.CodeOf(err).HTTPStatus()
	statusHeaders(w, status)
	return writeJSON(w, r, status, struct {
		Error CallFailure `json:"error"`
	}{CallFailureOf(err)})
}

// Methods is the listing of the methods of the cluster.
type Methods struct {
	Methods []rpc.Method `json:"methods"`
	// Errors say which nodes did not tell what they serve: the listing is then not whole.
	Errors []string `json:"errors,omitempty"`
}

// MethodsOf asks every node what it serves. An error means that nothing is known.
func MethodsOf(ctx context.Context, c *rpc.Client) (Methods, error) {
	found, err := c.Methods(ctx)
	m := Methods{Methods: found}
	if err == nil {
		return m, nil
	}
	if len(found) == 0 {
		return m, err
	}
	failed := []error{err}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		failed = several.Unwrap()
	}
	for _, one := range failed {
		m.Errors = append(m.Errors, plain.Text(one))
	}
	return m, nil
}

func (a *API) methods(w http.ResponseWriter, r *http.Request) error {
	if err := noParameters(r); err != nil {
		return err
	}
	ctx, cancel := bounded(r)
	defer cancel()
	found, err := MethodsOf(ctx, a.opts.Calls)
	if errors.Is(err, bus.ErrUnavailable) || errors.Is(err, bus.ErrBusClosed) || errors.Is(err, bus.ErrUnknown) {
		return &failure{http.StatusServiceUnavailable, codeUnavailable, "no node can be asked: Redis is out of reach, or they fell silent"}
	}
	if err != nil {
		return writeCallFailure(w, r, err)
	}
	return writeJSON(w, r, http.StatusOK, found)
}
