package chaos

import (
	"context"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/link"
)

// A place is where a link stands.
type place struct {
	name    string
	targets int
	touches func(c *cluster, target int) []string
	links   func(c *cluster, target int) []*link.Link
	does    string // what it is when the link stands still
}

func places() []place {
	return []place{
		{"node to Redis", linkedNodes, oneNode,
			func(c *cluster, target int) []*link.Link { return []*link.Link{c.nodes[target].redis} }, history.Silences},
		{"clients to node", nodes, clientsOf,
			func(c *cluster, target int) []*link.Link {
				return []*link.Link{c.nodes[target].ws, c.nodes[target].tcp}
			}, ""},
		{"publisher to Redis", 1,
			func(c *cluster, _ int) []string { return []string{c.publishers[linkedSource].name} },
			func(c *cluster, _ int) []*link.Link { return []*link.Link{c.publishers[linkedSource].link} }, ""},
	}
}

// linkedSource is the publisher that has a link to Redis.
const linkedSource = 1

// A bend is what is done to a link.
type bend struct {
	name     string
	up, down link.Shape
	still    bool // nothing gets through, at least one way
}

func bends() []bend {
	held, lost := link.Shape{Hold: true}, link.Shape{Swallow: true}
	var fine link.Shape
	slow := link.Shape{Delay: 20 * time.Millisecond, Jitter: 60 * time.Millisecond}
	slower := link.Shape{Delay: 400 * time.Millisecond, Jitter: 400 * time.Millisecond}
	sliced := link.Shape{Slice: 7}
	return []bend{
		{name: "late", up: slow, down: slow},
		{name: "very late one way", up: slower},
		{name: "very late the other way", down: slower},
		{name: "in slices", up: sliced, down: sliced},
		{name: "held", up: held, down: held, still: true},
		{name: "held one way", up: held, down: fine, still: true},
		{name: "held the other way", up: fine, down: held, still: true},
		{name: "swallowed", up: lost, down: lost, still: true},
		{name: "swallowed one way", up: lost, down: fine, still: true},
		{name: "swallowed the other way", up: fine, down: lost, still: true},
	}
}

// linkKinds are each bend, and a reset, at each place.
func linkKinds() []kind {
	var all []kind
	for _, p := range places() {
		all = append(all, kind{name: p.name + ": reset", targets: p.targets, touches: p.touches, heal: nothing,
			begin: func(_ context.Context, c *cluster, target int) error {
				for _, l := range p.links(c, target) {
					l.Reset()
				}
				return nil
			}})
		for _, b := range bends() {
			all = append(all, p.bent(b))
		}
	}
	return all
}

func (p place) bent(b bend) kind {
	shaped := func(up, down link.Shape) func(context.Context, *cluster, int) error {
		return func(_ context.Context, c *cluster, target int) error {
			for _, l := range p.links(c, target) {
				l.Set(up, down)
			}
			return nil
		}
	}
	k := kind{name: p.name + ": " + b.name, least: linkLeast, most: linkMost, targets: p.targets, touches: p.touches,
		begin: shaped(b.up, b.down), heal: shaped(link.Shape{}, link.Shape{})}
	if b.still {
		k.does, k.grave = p.does, silence
	}
	return k
}
