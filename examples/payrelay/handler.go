package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/ackbus/ackbus/bus"
)

const (
	eventPayment = "payment"
	maxPost      = 4 << 10 // bytes
)

// A handler answers POST /payments.
type handler struct {
	bus      *bus.Bus
	patience time.Duration
	log      *slog.Logger
}

func newHandler(b *bus.Bus, patience time.Duration, log *slog.Logger) http.Handler {
	h := &handler{b, patience, log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /payments", h.pay)
	return mux
}

// pay hands a payment to its merchant and answers with the receipt.
func (h *handler) pay(w http.ResponseWriter, r *http.Request) {
	p, err := readPayment(http.MaxBytesReader(w, r.Body, maxPost))
	if err != nil {
		h.refuse(w, err)
		return
	}
	// A payment goes its way also when the one who posted it hangs up: the log shall say what became of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.patience)
	defer cancel()
	receipt, err := h.bus.Request(ctx, bus.User(p.Merchant), eventPayment, bus.JSON(p), bus.WithID(p.ID))
	if receipt == nil {
		h.unsent(w, p, err)
		return
	}
	h.record(ctx, p, receipt)
	h.answer(w, statusOf(receipt.Outcome), receipt)
}

// statusOf is what an outcome means over HTTP.
func statusOf(o bus.Outcome) int {
	switch o {
	case bus.OutcomeConfirmed:
		return http.StatusOK
	case bus.OutcomeNoReceiver:
		return http.StatusNotFound
	case bus.OutcomeRejected:
		return http.StatusConflict
	default: // unconfirmed, unknown, closed…: nobody knows whether it was booked, so it is posted again under its ID
		return http.StatusGatewayTimeout
	}
}

// A problem is the body of an answer without a receipt: nothing was sent.
type problem struct {
	Code    string `json:"code"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// refuse says what is wrong with a post.
func (h *handler) refuse(w http.ResponseWriter, err error) {
	p := problem{Code: "bad_request", Message: err.Error()}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		p.Code = "too_large"
		h.answer(w, http.StatusRequestEntityTooLarge, map[string]problem{"error": p})
		return
	}
	if wrong, ok := errors.AsType[*FieldError](err); ok {
		p.Field = wrong.Field
	}
	h.answer(w, http.StatusBadRequest, map[string]problem{"error": p})
}

// unsent says why a payment did not leave. What is wrong with Redis is for the log alone.
func (h *handler) unsent(w http.ResponseWriter, p Payment, err error) {
	if errors.Is(err, bus.ErrIDConflict) {
		taken := problem{"id_conflict", "id", "another payment has this id"}
		h.answer(w, http.StatusUnprocessableEntity, map[string]problem{"error": taken})
		return
	}
	h.log.Error("payment was not sent", "id", p.ID, "error", err)
	later := problem{"unavailable", "", "nothing was sent: post it again"}
	h.answer(w, http.StatusServiceUnavailable, map[string]problem{"error": later})
}

func (h *handler) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		h.log.Debug("answering", "error", err) // they hung up
	}
}
