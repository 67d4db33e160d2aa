package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// publish sends a message that nobody waits for.
func (a *API) publish(w http.ResponseWriter, r *http.Request) error {
	var m Message
	done, err := a.read(w, r, &m)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(r.Context(), defaultTimeout)
	defer cancel()
	opts := make([]bus.PublishOption, 0, 2)
	for _, o := range m.Options() {
		opts = append(opts, o)
	}
	published, err := a.bus.Publish(ctx, m.To, m.Event, m.Data, opts...)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusAccepted, struct {
		ID        uuid.UUID `json:"id"`
		Receivers int       `json:"receivers"`
	}{published.ID, published.Receivers})
}
