package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ackbus/ackbus/bench/internal/role"
)

// idleSessions is what sessions cost that do nothing.
type idleSessions struct {
	Sessions   int     `json:"sessions"`
	Resident   float64 `json:"resident"`   // bytes a session; 0: not known on this system
	Heap       float64 `json:"heap"`       // of these, live objects
	Stacks     float64 `json:"stacks"`     // of these, stacks of goroutines
	Goroutines float64 `json:"goroutines"` // a session
}

// idle compares a gateway that has no sessions with itself when it has them, each of its own user.
func (st *stage) idle(ctx context.Context) (_ *idleSessions, err error) {
	n := min(st.settings.sessions, role.AllowFiles(st.settings.sessions+spareFiles)-spareFiles)
	fmt.Fprintf(st.progress, "%d idle sessions\n", n)
	c := &cast{system: systemIdle}
	defer func() { err = errors.Join(err, c.end(err != nil)) }()
	// One client before the count: what the first of its kind costs belongs to no session.
	first := &cast{system: systemIdle}
	defer func() { err = errors.Join(err, first.end(err != nil)) }()
	b := role.Brief{Clients: n, Concurrency: 1}
	if err := st.start(ctx, c, "gateway-node", &b); err != nil {
		return nil, err
	}
	b.Clients = 1
	if err := st.start(ctx, first, "gateway-clients", &b); err != nil {
		return nil, err
	}
	node := c.processes[0]
	before, err := node.order(ctx, role.Order{Settle: st.settings.settle()})
	if err != nil {
		return nil, err
	}
	b.Clients = n
	if err := st.start(ctx, c, "gateway-clients", &b); err != nil {
		return nil, err
	}
	after, err := node.order(ctx, role.Order{Settle: st.settings.settle()})
	if err != nil {
		return nil, err
	}
	each := func(later, earlier int64) float64 { return float64(later-earlier) / float64(n) }
	return &idleSessions{
		Sessions: n, Resident: each(after.Usage.Resident, before.Usage.Resident), Heap: each(after.Usage.Heap, before.Usage.Heap),
		Stacks:     each(after.Usage.Stacks, before.Usage.Stacks),
		Goroutines: each(int64(after.Usage.Goroutines), int64(before.Usage.Goroutines)),
	}, nil
}
