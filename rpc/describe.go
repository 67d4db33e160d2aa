package rpc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ackbus/ackbus/bus"
)

// Servers describe their methods at a method of their own, a page at a time, and callers ask for it when the version of a node's list
// changes.

const (
	describeMethod = reservedPrefix + "describe"
	pageBytes      = 96 << 10 // of descriptions in one answer, if there is more than one
	maxMethods     = 10_000   // of one node that a caller believes
)

// describeQuery asks for descriptions.
type describeQuery struct {
	From int  `json:"from,omitempty"` // how many the asker has already
	Full bool `json:"full,omitempty"` // everything, and not only what a caller needs
}

// describeReply is a page of them, by name.
type describeReply struct {
	Methods []description `json:"methods"`
	Next    int           `json:"next,omitempty"` // where the next page begins; 0: this is the last
}

// describe has the server answer those who ask what it serves.
func (s *Server) describe(ctx context.Context) error {
	s.mu.Lock()
	done := s.describing != nil
	s.mu.Unlock()
	if done {
		return nil
	}
	held, err := s.bus.Subscribe(ctx, bus.MethodAt(describeMethod, s.bus.Node().ID), s.answer, bus.Concurrency(2))
	if err != nil {
		return fmt.Errorf("rpc: start: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		held.Close()
		return errServerClosed
	}
	s.describing = held
	return nil
}

// answer gives a page of descriptions.
func (s *Server) answer(_ context.Context, m *bus.Message) (bus.Body, error) {
	var query describeQuery
	if err := decode(m.Body, &query); err != nil || query.From < 0 {
		return bus.Body{}, bus.Reject(string(CodeBadRequest), "this is no query for descriptions")
	}
	return encode(s.page(query), m.Body.Format()), nil
}

func (s *Server) page(query describeQuery) describeReply {
	all := s.heldMethods()
	var reply describeReply
	size := 0
	for i := min(query.From, len(all)); i < len(all); i++ {
		d := all[i].description.brief()
		if query.Full {
			d = all[i].description
			stats := all[i].stats().wire()
			d.Stats = &stats
		}
		size += len(d.Name) + len(d.Description) + len(d.Request) + len(d.Reply) + 128
		if size > pageBytes && len(reply.Methods) > 0 {
			reply.Next = i
			break
		}
		reply.Methods = append(reply.Methods, d)
	}
	return reply
}

// heldMethods lists what is served, by name.
func (s *Server) heldMethods() []*method {
	s.mu.Lock()
	defer s.mu.Unlock()
	var held []*method
	for _, m := range s.methods {
		if m.isHeld() {
			held = append(held, m)
		}
	}
	slices.SortFunc(held, func(a, b *method) int { return strings.Compare(a.description.Name, b.description.Name) })
	return held
}

// decodeDescriptions reads a page that came from a node.
func decodeDescriptions(body bus.Body) (describeReply, error) {
	var reply describeReply
	if err := decode(body, &reply); err != nil {
		return describeReply{}, fmt.Errorf("descriptions: %w", err)
	}
	if len(reply.Methods) > maxMethods || reply.Next < 0 || reply.Next > maxMethods {
		return describeReply{}, fmt.Errorf("descriptions: %d methods, next is %d; want %d at most", len(reply.Methods), reply.Next,
			maxMethods)
	}
	for i := range reply.Methods {
		if err := reply.Methods[i].check(); err != nil {
			return describeReply{}, fmt.Errorf("descriptions: %w", err)
		}
	}
	return reply, nil
}
