package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/ackbus/ackbus/bus"
)

const (
	topicSettled = "payments.settled" // where every node tells what became of its payments
	recordTime   = time.Second        // how long a payment may wait for being logged
)

// An Entry is one line of the log.
type Entry struct {
	Payment Payment `json:"payment"`
	Outcome string  `json:"outcome"`
	Took    float64 `json:"took_ms"`
}

// record has the payment logged. It is a request and not a mere publishing: a log that nobody wrote is noticed.
func (h *handler) record(ctx context.Context, p Payment, r *bus.Receipt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	e := Entry{Payment: p, Outcome: r.Outcome.String(), Took: float64(r.Elapsed.Microseconds()) / 1000}
	if _, err := h.bus.Request(ctx, bus.Topic(topicSettled), "payment."+e.Outcome, bus.JSON(e)); err != nil {
		h.log.Error("payment was not logged", "id", p.ID, "outcome", e.Outcome, "error", err)
	}
}

// listen attaches the two listeners of a node: one logs every payment of the cluster, one is told of the first and gone.
func listen(ctx context.Context, b *bus.Bus, log *slog.Logger) error {
	_, err := b.Subscribe(ctx, bus.Topic(topicSettled), logger(log, "payment"))
	if err != nil {
		return err
	}
	_, err = b.Subscribe(ctx, bus.Topic(topicSettled), logger(log, "first payment"), bus.Once())
	return err
}

// logger confirms what it has logged.
func logger(log *slog.Logger, text string) bus.Handler {
	return func(_ context.Context, m *bus.Message) (bus.Body, error) {
		var e Entry
		if err := m.Body.Decode(&e); err != nil {
			return bus.Body{}, err
		}
		p := e.Payment
		log.Info(text, "id", p.ID, "merchant", p.Merchant, "amount", p.Amount, "currency", p.Currency,
			"outcome", e.Outcome, "took_ms", e.Took)
		return bus.Body{}, nil
	}
}
