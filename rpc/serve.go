package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// serving is one call at the server's side: its context and its request in one piece.
type serving struct {
	context.Context //nolint:containedctx // this is a context

	request Request
}

// Value finds the request of the call.
func (s *serving) Value(key any) any {
	if key == (requestKey{}) {
		return &s.request
	}
	return s.Context.Value(key)
}

// hold subscribes the method's addresses: its own at this node, and that of all instances.
func (m *method) hold(ctx context.Context) error {
	b := m.server.bus
	for _, to := range []bus.Address{bus.MethodAt(m.description.Name, b.Node().ID), bus.Method(m.description.Name)} {
		held, err := b.Subscribe(ctx, to, m.serve, bus.Concurrency(m.concurrency), bus.QueueSize(m.queue))
		if err != nil {
			m.leave()
			return err
		}
		m.mu.Lock()
		m.held = append(m.held, held)
		m.mu.Unlock()
	}
	return nil
}

func (m *method) isHeld() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.held) > 0
}

// leave gives the addresses up. What is queued is still served.
func (m *method) leave() {
	m.mu.Lock()
	held := m.held
	m.held = nil
	m.mu.Unlock()
	for _, h := range held {
		h.Close()
	}
}

func (m *method) stats() Stats { return m.counters.stats(int(m.slots.taken.Load())) }

// errEnded is what is left of a handler that called runtime.Goexit.
var errEnded = errors.New("the handler ended without an answer")

// serve takes one call from the bus.
func (m *method) serve(ctx context.Context, msg *bus.Message) (reply bus.Body, err error) {
	waited := m.slots.take()
	began := time.Now()
	err = errEnded
	defer func() {
		now := time.Now()
		m.slots.release()
		m.counters.end(now, now.Sub(began), err != nil)
	}()
	if waited && ctx.Err() != nil {
		return refusal(context.Cause(ctx), msg.Body.Format())
	}
	call := &serving{Context: ctx, request: Request{Method: m.description.Name, Body: msg.Body, Headers: msg.Headers, Incoming: true,
		Stream: m.description.Streaming, Idempotent: m.description.Idempotent, ID: msg.ID, From: msg.From}}
	reply, failed := m.invoke(call, &call.request)
	if failed == nil {
		failed = reply.Err()
	}
	if failed != nil {
		return refusal(failed, msg.Body.Format())
	}
	return reply, nil
}

// guarded is the handler, whose panic is an error.
func (m *method) guarded(ctx context.Context, r *Request) (reply bus.Body, err error) {
	defer func() {
		if v := recover(); v != nil {
			m.server.log.Error("handler panicked", slog.String("method", r.Method), slog.String("id", r.ID.String()),
				slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))
			err = &Error{Code: CodeInternal, Message: "the handler panicked"}
		}
	}()
	return m.handler(ctx, r)
}
