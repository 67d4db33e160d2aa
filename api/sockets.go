package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

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
	if partly, ok := errors.AsType[*bus.ReceiptError](err); ok {
		return &failure{http.StatusGatewayTimeout, "unknown", "not every node answered: " + missing(partly.Receipt)}
	}
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, struct {
		Sockets []gateway.SocketInfo `json:"sockets"`
		Total   int                  `json:"total"`
	}{found, total})
}

// missing names the nodes that did not answer, as far as they are known.
func missing(r *bus.Receipt) string {
	var names []string
	for _, d := range r.Deliveries {
		if d.Outcome != bus.OutcomeConfirmed && d.Node != "" {
			names = append(names, fmt.Sprintf("%q is %s", clip(d.Node), d.Outcome))
		}
	}
	if len(names) == 0 {
		return "the outcome is " + r.Outcome.String()
	}
	return strings.Join(names, ", ")
}
