package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/ackbus/ackbus/bus"
)

const (
	defaultTimeout = 5 * time.Second
	maxTimeout     = 10 * time.Minute
)

// A request is the body of POST /v1/request.
type request struct {
	Message
	timeout  int // milliseconds; 0: the default
	require  bus.Requirement
	level    bus.Level
	detail   bus.Detail
	failFast bool
}

func (q *request) own() []field {
	return []field{
		{name: "timeout_ms", set: whole(&q.timeout, 0, int(maxTimeout/time.Millisecond))},
		{name: "require", set: func(raw json.RawMessage) (err error) {
			q.require, err = parseRequire(raw)
			return err
		}},
		{name: "level", set: parsed(&q.level, bus.ParseLevel)},
		{name: "fail_fast", set: flag(&q.failFast)},
		{name: "detail", set: parsed(&q.detail, bus.ParseDetail)},
	}
}

// parseRequire takes a number as a number or as text.
func parseRequire(raw json.RawMessage) (bus.Requirement, error) {
	s := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &s); err != nil {
			return bus.Requirement{}, err
		}
	}
	return bus.ParseRequirement(s)
}

// request sends a message and answers with its receipt, whatever the outcome.
func (a *API) request(w http.ResponseWriter, r *http.Request) error {
	var q request
	done, err := a.read(w, r, &q.Message, q.own()...)
	if err != nil {
		return err
	}
	defer done()
	timeout := defaultTimeout
	if q.timeout > 0 {
		timeout = time.Duration(q.timeout) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	receipt, err := a.bus.Request(ctx, q.To, q.Event, q.Data, q.requestOptions()...)
	if receipt == nil || errors.Is(err, bus.ErrIDConflict) {
		a.recent.refuse()
		return err
	}
	a.recent.keep(receipt)
	return writeJSON(w, r, receiptStatus(receipt, err), receipt)
}

func (q *request) requestOptions() []bus.RequestOption {
	opts := []bus.RequestOption{bus.Require(q.require), bus.WithLevel(q.level), bus.WithDetail(q.detail)}
	if q.failFast {
		opts = append(opts, bus.FailFast())
	}
	for _, o := range q.Options() {
		opts = append(opts, o)
	}
	return opts
}

// receiptStatus is the status of an answer that carries a receipt.
func receiptStatus(receipt *bus.Receipt, err error) int {
	if err == nil {
		return http.StatusOK
	}
	switch receipt.Outcome {
	case bus.OutcomeNoReceiver:
		return http.StatusNotFound
	case bus.OutcomeRejected, bus.OutcomeTooFew:
		return http.StatusConflict
	case bus.OutcomeClosed, bus.OutcomeDropped, bus.OutcomeExpired:
		return http.StatusGone
	default:
		return http.StatusGatewayTimeout
	}
}
