package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
)

const (
	defaultSockets = 100
	maxSockets     = 1000
)

// sockets asks every node of the cluster for its sockets.
func (a *API) sockets(w http.ResponseWriter, r *http.Request) error {
	values, err := parameters(r, "user", "limit")
	if err != nil {
		return err
	}
	limit, err := wholeParameter(values, "limit", 1, maxSockets, defaultSockets)
	if err != nil {
		return err
	}
	if user, given := values["user"]; given && user == "" {
		return badRequest("user: is empty; want the ID of a user, or no such parameter for all")
	}
	ctx, cancel := context.WithTimeout(r.Context(), defaultTimeout)
	defer cancel()
	found, total, err := gateway.Sockets(ctx, a.bus, gateway.Filter{User: values["user"], Limit: limit})
	if _, partly := errors.AsType[*bus.ReceiptError](err); partly {
		return &failure{http.StatusGatewayTimeout, "unknown", "not every node answered: " + plainText(err)}
	}
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, struct {
		Sockets []gateway.SocketInfo `json:"sockets"`
		Total   int                  `json:"total"`
	}{found, total})
}
