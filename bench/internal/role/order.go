package role

import "time"

// BodySize is how many bytes every request and every answer carries.
const BodySize = 128

// A Brief is the first line that a process gets: its role and what it needs for it.
type Brief struct {
	Role        string   `json:"role"`
	Redis       string   `json:"redis"`                 // host:port
	Peer        string   `json:"peer,omitempty"`        // host:port of what else the role talks to: a gateway, a server that is not Redis
	Clients     int      `json:"clients,omitempty"`     // how many users there are
	Concurrency int      `json:"concurrency,omitempty"` // of a handler
	Prefetch    int      `json:"prefetch,omitempty"`    // of a pool of workers, where it can
	Profiles    Profiles `json:"profiles"`
}

// An Order is each further line. One without an act and without a load asks for the usage alone.
type Order struct {
	Act      string        `json:"act,omitempty"`       // one of the actor's; empty: its call
	InFlight int           `json:"in_flight,omitempty"` // requests, or jobs
	Jobs     int64         `json:"jobs,omitempty"`      // how many to wait for
	Warmup   time.Duration `json:"warmup,omitempty"`
	Measured time.Duration `json:"measured,omitempty"`
	Settle   time.Duration `json:"settle,omitempty"` // pause to give memory back in before it is measured
}

// An Answer follows each line.
type Answer struct {
	Error   string `json:"error,omitempty"`
	Address string `json:"address,omitempty"` // host:port where the role listens
	Load    Sample `json:"load"`
	Usage   Usage  `json:"usage"`
}
