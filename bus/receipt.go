package bus

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// An Outcome is what became of a delivery or of a whole request.
type Outcome uint8

// The outcomes. Claimed and Written are stages of a delivery that was still open when its receipt ended, or the
// outcome of a receipt where that level was asked.
const (
	OutcomeClaimed     Outcome = iota // a node holds the endpoint
	OutcomeWritten                    // handed to the kernel, or to the handler
	OutcomeConfirmed                  // acknowledged by the endpoint itself
	OutcomeRejected                   // refused by the endpoint, with code and message
	OutcomeUnconfirmed                // written, and not acknowledged in time
	OutcomeClosed                     // the socket closed before it acknowledged
	OutcomeDropped                    // not written: volatile and not ready, or too slow
	OutcomeExpired                    // time ran out before the write
	OutcomeUnknown                    // the node fell silent, or nobody claimed a copy
	OutcomeTooFew                     // of a receipt: all that were there confirmed, fewer than asked
	OutcomeNoReceiver                 // of a receipt: nobody is there
	outcomes                          // how many there are
)

var outcomeNames = [outcomes]string{"claimed", "written", "confirmed", "rejected", "unconfirmed", "closed", "dropped", "expired",
	"unknown", "too_few", "no_receiver"}

// String is the outcome's name in receipts.
func (o Outcome) String() string {
	if o < outcomes {
		return outcomeNames[o]
	}
	return "outcome(" + strconv.Itoa(int(o)) + ")"
}

// MarshalText gives the name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Outcomes lists every outcome, in order.
func Outcomes() []Outcome {
	all := make([]Outcome, outcomes)
	for i := range all {
		all[i] = Outcome(i)
	}
	return all
}

// The carriers of a delivery.
const (
	CarrierHandler   = "handler"   // a Go handler: no socket
	CarrierWebSocket = "websocket" // a WebSocket, JSON or msgpack
	CarrierTCP       = "tcp"       // lines of JSON over TCP
)

// Counts is how many deliveries have each outcome, indexed by Outcome.
type Counts [outcomes]int

// MarshalJSON names the outcomes that occur.
func (c Counts) MarshalJSON() ([]byte, error) {
	named := make(map[string]int)
	for o, n := range c {
		if n > 0 {
			named[Outcome(o).String()] = n
		}
	}
	return json.Marshal(named)
}

// A Delivery is what became of a request at one endpoint.
type Delivery struct {
	Node    string    // the node's name; empty where nobody knows which node it was
	NodeID  uuid.UUID // uuid.Nil where it is not known
	Socket  string    // the socket's ID; empty for a Go handler
	User    string    // the user of the socket, if any
	Carrier string    // CarrierWebSocket, CarrierTCP, CarrierHandler; empty where it is not known
	Outcome Outcome
	Reply   Body       // what the endpoint confirmed with, or the details of its refusal
	Error   *Rejection // why it was rejected or dropped
	// Written and Settled are times since the request was sent, by the publisher's clock. Zero: it did not come to that.
	Written time.Duration
	Settled time.Duration
}

// MarshalJSON gives the delivery in the shape of a receipt's deliveries.
func (d Delivery) MarshalJSON() ([]byte, error) {
	wire := struct {
		Node    string          `json:"node,omitempty"`
		NodeID  string          `json:"node_id,omitempty"`
		Socket  string          `json:"socket,omitempty"`
		User    string          `json:"user,omitempty"`
		Carrier string          `json:"carrier,omitempty"`
		Outcome Outcome         `json:"outcome"`
		Reply   json.RawMessage `json:"reply,omitempty"`
		Error   *Rejection      `json:"error,omitempty"`
		Written *float64        `json:"written_ms,omitempty"`
		Settled *float64        `json:"settled_ms,omitempty"`
	}{Node: d.Node, Socket: d.Socket, User: d.User, Carrier: d.Carrier, Outcome: d.Outcome, Error: d.Error,
		Reply: replyJSON(d.Reply), Written: optionalMillis(d.Written), Settled: optionalMillis(d.Settled)}
	if d.NodeID != uuid.Nil {
		wire.NodeID = d.NodeID.String()
	}
	return json.Marshal(wire)
}

// replyJSON shows a reply that JSON can't express (NaN, say) by its bytes: one endpoint must not spoil the receipt for the rest.
func replyJSON(reply Body) json.RawMessage {
	if reply.IsZero() {
		return nil
	}
	p, err := reply.AsJSON()
	if err != nil || reply.check() != nil {
		return appendBase64(nil, reply.bytes)
	}
	return p
}

// A Receipt says what became of one request: every delivery, and the outcome.
type Receipt struct {
	ID       uuid.UUID
	To       Address
	Event    string
	Outcome  Outcome
	Require  Requirement
	Nodes    int // how many nodes claimed endpoints
	Expected int // how many endpoints they claimed together
	Counts   Counts
	Elapsed  time.Duration
	// Deliveries lists every delivery; of a request that was summed up, those that failed, MaxFailures at most.
	Deliveries []Delivery
}

// MarshalJSON gives the receipt in its public shape.
func (r *Receipt) MarshalJSON() ([]byte, error) {
	deliveries := r.Deliveries
	if deliveries == nil {
		deliveries = []Delivery{}
	}
	return json.Marshal(struct {
		ID         uuid.UUID   `json:"id"`
		To         Address     `json:"to"`
		Event      string      `json:"event"`
		Outcome    Outcome     `json:"outcome"`
		Require    Requirement `json:"require"`
		Nodes      int         `json:"nodes"`
		Expected   int         `json:"expected"`
		Counts     Counts      `json:"counts"`
		Elapsed    float64     `json:"elapsed_ms"`
		Deliveries []Delivery  `json:"deliveries"`
	}{r.ID, r.To, r.Event, r.Outcome, r.Require, r.Nodes, r.Expected, r.Counts, millis(r.Elapsed), deliveries})
}

// String is one line for logs.
func (r *Receipt) String() string {
	return fmt.Sprintf("%s %s to %s: %s (%d of %d confirmed, %d nodes, %.1f ms)", r.ID, r.Event, r.To, r.Outcome,
		r.Counts[OutcomeConfirmed], r.Expected, r.Nodes, millis(r.Elapsed))
}

// millis rounds to microseconds, as receipts show them.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func optionalMillis(d time.Duration) *float64 {
	if d == 0 {
		return nil
	}
	ms := millis(d)
	return &ms
}
