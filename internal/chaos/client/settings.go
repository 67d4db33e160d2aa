package client

import (
	"fmt"
	"math/rand/v2"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// Settings say what a process of clients does.
type Settings struct {
	Dir   string `json:"dir"`  // for its history
	Name  string `json:"name"` // of its history
	Nodes []Node `json:"nodes"`
	Seed  uint64 `json:"seed"`
	// Clients is how many of each manner there are.
	Clients map[string]int `json:"clients"`
}

// A Node is where clients connect.
type Node struct {
	Name      string `json:"name"`
	WebSocket string `json:"websocket"`
	TCP       string `json:"tcp"`
}

// Groups is how many groups the prompt clients are in, one each.
const Groups = 4

// The carriers.
const (
	overJSON    = "ackbus.v1.json"
	overMsgpack = "ackbus.v1.msgpack"
	overTCP     = "tcp"
)

var carriers = []string{overJSON, overMsgpack, overTCP}

// manners are in the order in which their clients are numbered.
var manners = []string{history.Prompt, history.Slow, history.Weary, history.Unkind, history.Mute, history.Fickle}

// clients makes them, each with its own source of chance.
func (s *Settings) clients(log *history.Log) []*client {
	var all []*client
	for _, manner := range manners {
		for i := range s.Clients[manner] {
			c := &client{
				name: fmt.Sprintf("%s-%d", manner, i), manner: manner, over: carriers[i%len(carriers)], nodes: s.Nodes, log: log,
				groups: []string{"mixed"}, handled: make(map[string]bool), chance: rand.New(rand.NewPCG(s.Seed, uint64(len(all)))),
			}
			if manner == history.Prompt {
				c.groups = append(c.groups, fmt.Sprint("g", i%Groups))
			}
			all = append(all, c)
		}
	}
	return all
}
