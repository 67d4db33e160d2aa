package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
)

// A SocketInfo is how a socket shows in a listing.
type SocketInfo struct {
	Socket  string    `json:"socket"`
	Node    string    `json:"node"` // the node's name
	User    string    `json:"user"`
	Groups  []string  `json:"groups"`
	Carrier string    `json:"carrier"`
	Since   time.Time `json:"since"` // by the clock of its node
}

// A Filter picks sockets.
type Filter struct {
	// User picks the sockets of one user. Empty: of all.
	User string `json:"user,omitempty"`
	// Limit is how many sockets are listed. Default: 100; at most MaxListed.
	Limit int `json:"limit,omitempty"`
}

// MaxListed is how many sockets one listing shows.
const MaxListed = 1000

// The listing over the bus: every gateway answers on one topic.
const (
	directoryTopic = reservedTopics + "sockets"
	directoryEvent = "sockets"
	listingBytes   = 512 << 10 // of one node's answer; what does not fit is only counted
)

// A listing is one node's answer.
type listing struct {
	Sockets []SocketInfo `json:"sockets"`
	Total   int          `json:"total"`
}

func (f Filter) limit() int {
	if f.Limit <= 0 {
		return 100
	}
	return min(f.Limit, MaxListed)
}

// Sockets lists sockets of all nodes, the oldest first, and how many there are in total. It works from any bus, also where no
// gateway runs. ctx bounds the call. Where some nodes did not answer, what the others said is returned beside the error.
func Sockets(ctx context.Context, b *bus.Bus, f Filter) (sockets []SocketInfo, total int, err error) {
	receipt, err := b.Request(ctx, bus.Topic(directoryTopic), directoryEvent, bus.JSON(f),
		bus.Require(bus.All()), bus.WithDetail(bus.DetailAll))
	if errors.Is(err, bus.ErrNoReceiver) {
		return []SocketInfo{}, 0, nil
	}
	if receipt == nil {
		return nil, 0, fmt.Errorf("gateway: sockets: %w", err)
	}
	sockets = []SocketInfo{}
	for _, d := range receipt.Deliveries {
		var l listing
		if d.Outcome != bus.OutcomeConfirmed {
			continue
		}
		if decodeErr := d.Reply.Decode(&l); decodeErr != nil {
			err = errors.Join(err, decodeErr)
			continue
		}
		sockets = append(sockets, l.Sockets...)
		total += l.Total
	}
	if err != nil {
		err = fmt.Errorf("gateway: sockets: %w", err)
	}
	return oldest(sockets, f.limit()), total, err
}

// Sockets lists the gateway's own sockets, the oldest first, and how many there are in total.
func (g *Gateway) Sockets(f Filter) (sockets []SocketInfo, total int) {
	sockets = []SocketInfo{}
	for _, s := range g.hub.all() {
		if info, ok := s.info(); ok && (f.User == "" || info.User == f.User) {
			sockets = append(sockets, info)
		}
	}
	return oldest(sockets, f.limit()), len(sockets)
}

func oldest(sockets []SocketInfo, n int) []SocketInfo {
	slices.SortFunc(sockets, func(a, b SocketInfo) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Socket, b.Socket))
	})
	return sockets[:min(n, len(sockets))]
}

// list answers a listing that somebody asks for over the bus.
func (g *Gateway) list(_ context.Context, m *bus.Message) (bus.Body, error) {
	var f Filter
	if err := m.Body.Decode(&f); err != nil {
		return bus.Body{}, bus.Reject(codeBadFrame, plain.Text(err))
	}
	answer := listing{}
	answer.Sockets, answer.Total = g.Sockets(f)
	for {
		p, err := json.Marshal(answer)
		if err != nil {
			return bus.Body{}, err
		}
		if len(p) <= listingBytes {
			return bus.Encoded(bus.FormatJSON, p)
		}
		answer.Sockets = answer.Sockets[:len(answer.Sockets)/2]
	}
}
