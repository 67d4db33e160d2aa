package rpc

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/run"
)

// watch looks after the callers of streams. A handler that has nothing to yield sends nothing, and would not notice that
// its caller has died.
type watch struct {
	bus   *bus.Bus
	group *run.Group

	mu      sync.Mutex
	callers map[uuid.UUID]*watched
	looking bool
}

// watched is a node that reads streams of this server.
type watched struct {
	missed  int // looks in a row in which Redis held no connection of it
	last    int
	streams map[int]context.CancelCauseFunc
}

const (
	watchEvery = 250 * time.Millisecond
	watchMost  = 3               // looks missed: dead
	watchPause = 3 * time.Second // after this node itself was cut off
)

// errCallerDied is the cause of a handler's context that ended because its caller is dead.
var errCallerDied = &Error{Code: CodeCancelled, Message: "the caller's node is dead"}

func newWatch(b *bus.Bus, g *run.Group) *watch {
	return &watch{bus: b, group: g, callers: make(map[uuid.UUID]*watched)}
}

// over has the context cancelled when the node dies, until the returned function is called.
func (w *watch) over(node uuid.UUID, cancel context.CancelCauseFunc) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	of := w.callers[node]
	if of == nil {
		of = &watched{streams: make(map[int]context.CancelCauseFunc)}
		w.callers[node] = of
	}
	of.last++
	number := of.last
	of.streams[number] = cancel
	if !w.looking {
		w.looking = w.group.Go(w.look)
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(of.streams, number)
		if len(of.streams) == 0 && w.callers[node] == of {
			delete(w.callers, node)
		}
	}
}

// look looks until nobody is left to look after.
func (w *watch) look() {
	ctx := w.group.Context()
	timer := time.NewTimer(watchEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		nodes := w.nodes()
		if nodes == nil {
			return
		}
		living, err := w.bus.Living(ctx, nodes...)
		if err != nil || !living[0] { // nobody is judged by one who can't see
			w.forgive()
			timer.Reset(watchPause)
			continue
		}
		for i, node := range nodes[1:] {
			w.seen(node, living[i+1])
		}
		timer.Reset(watchEvery)
	}
}

// nodes lists this node, and those to look at; nil if there are none, and then nobody looks.
func (w *watch) nodes() []uuid.UUID {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.callers) == 0 {
		w.looking = false
		return nil
	}
	nodes := []uuid.UUID{w.bus.Node().ID}
	for id := range w.callers {
		nodes = append(nodes, id)
	}
	return nodes
}

func (w *watch) forgive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, of := range w.callers {
		of.missed = 0
	}
}

// seen takes whether a node lives, and ends the streams of one that is dead.
func (w *watch) seen(node uuid.UUID, lives bool) {
	w.mu.Lock()
	of := w.callers[node]
	var dead []context.CancelCauseFunc
	switch {
	case of == nil:
	case lives:
		of.missed = 0
	default:
		if of.missed++; of.missed < watchMost {
			break
		}
		delete(w.callers, node)
		for _, cancel := range of.streams {
			dead = append(dead, cancel)
		}
	}
	w.mu.Unlock()
	for _, cancel := range dead {
		cancel(errCallerDied)
	}
}
