package api

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// A Node is one entry of GET /v1/nodes.
type Node struct {
	ID       uuid.UUID `json:"id"`
	Name     string    `json:"name"`
	Sockets  int       `json:"sockets"`
	Methods  int       `json:"methods"`
	Settled  bool      `json:"settled"`
	Draining bool      `json:"draining"`
	Observer bool      `json:"observer"` // a short-lived client, such as a command
	Seen     float64   `json:"seen_ms"`
}

// Nodes puts the bus's nodes into their public shape.
func Nodes(of []bus.Node) []Node {
	nodes := make([]Node, 0, len(of))
	for _, n := range of {
		nodes = append(nodes, Node{ID: n.ID, Name: n.Name, Sockets: n.Sockets, Methods: n.Methods, Settled: n.Settled,
			Draining: n.Draining, Observer: n.Observer, Seen: float64(n.Seen/time.Microsecond) / 1000})
	}
	return nodes
}

func (a *API) nodes(w http.ResponseWriter, r *http.Request) error {
	if err := noParameters(r); err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, struct {
		Nodes []Node `json:"nodes"`
	}{Nodes(a.bus.Nodes())})
}
