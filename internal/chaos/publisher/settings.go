package publisher

import (
	"time"

	"github.com/ackbus/ackbus/internal/chaos/actor"
)

// Settings say what a publisher does.
type Settings struct {
	actor.Settings

	// Nodes are where it asks by HTTP, where it is not told of a Redis.
	Nodes []Node `json:"nodes"`
	// Chosen says that some calls have an ID of the publisher's choice and are made again.
	Chosen bool `json:"chosen"`
	// Clients is how many of each manner there are.
	Clients map[string]int `json:"clients"`
	// Groups is how many groups the prompt clients are in, one each.
	Groups int `json:"groups"`
}

// A Node is where requests are asked by HTTP.
type Node struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
}

const (
	// inFlight is how many calls may be under way; what comes due beyond that is left out.
	inFlight = 2048
	// patience is how long after its deadline an HTTP call is waited for.
	patience = 20 * time.Second
)
