package rpc

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// table is who serves what, as far as this node knows. It does not change: a new one takes its place.
type table struct {
	membership uint64 // of the bus, when it was made
	complete   bool   // nothing was outstanding when it was made
	methods    map[string]*route
	versions   map[uuid.UUID]uint64 // of the lists that it was made of, by node
}

// route is the instances of one method.
type route struct {
	name       string
	all        []*instance
	ready      []*instance // those that do not drain; all of them where there are no others
	streaming  bool        // by the first
	idempotent bool        // all of them
}

// instance is one method at one node. It stays the same from one table to the next.
type instance struct {
	node       uuid.UUID
	text       string // of the ID
	name       string // of the node
	address    bus.Address
	hash       uint64 // of the node, for rendezvous hashing
	idempotent bool
	streaming  bool
	draining   bool

	inFlight atomic.Int64 // calls of this client
	shunned  atomic.Int64 // until when it is not chosen while there are others: time since the client began; 0: it is not
}

// shunFor is for how long an instance that did not answer is not chosen while there are others.
const shunFor = time.Second

// served is what one node said that it serves.
type served struct {
	version   uint64
	known     bool // the version has been fetched
	failures  int  // to fetch it, in a row
	methods   []description
	instances map[string]*instance
}

// build makes a table of what the nodes said.
func build(membership uint64, complete bool, nodes []bus.Node, by map[uuid.UUID]*served) *table {
	t := &table{membership: membership, complete: complete, methods: make(map[string]*route),
		versions: make(map[uuid.UUID]uint64)}
	for _, node := range nodes {
		of := by[node.ID]
		if of == nil || !of.known {
			continue
		}
		t.versions[node.ID] = of.version
		for _, d := range of.methods {
			r := t.methods[d.Name]
			if r == nil {
				r = &route{name: d.Name, streaming: d.Streaming, idempotent: true}
				t.methods[d.Name] = r
			}
			r.idempotent = r.idempotent && d.Idempotent
			r.all = append(r.all, of.instance(node, d))
		}
	}
	for _, r := range t.methods {
		r.ready = slices.DeleteFunc(slices.Clone(r.all), func(in *instance) bool { return in.draining })
		if len(r.ready) == 0 {
			r.ready = r.all
		}
	}
	return t
}

// instance is the method at the node: the one that an earlier table had, unless something about it has changed.
func (of *served) instance(node bus.Node, d description) *instance {
	in := of.instances[d.Name]
	if in != nil && in.idempotent == d.Idempotent && in.streaming == d.Streaming && in.draining == node.Draining && in.name == node.Name {
		return in
	}
	fresh := &instance{node: node.ID, text: node.ID.String(), name: node.Name, address: bus.MethodAt(d.Name, node.ID),
		hash: hashText(node.ID.String()), idempotent: d.Idempotent, streaming: d.Streaming, draining: node.Draining}
	if of.instances == nil {
		of.instances = make(map[string]*instance)
	}
	of.instances[d.Name] = fresh
	return fresh
}

// names lists the methods.
func (t *table) names() []string {
	return slices.SortedFunc(maps.Keys(t.methods), strings.Compare)
}
