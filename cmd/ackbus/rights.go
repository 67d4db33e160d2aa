package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
)

// A rights is the claim ackbus of a token: what its client may do besides receiving. What is not listed is not allowed.
type rights struct {
	Join patterns `json:"join"` // groups
	Send patterns `json:"send"` // addresses, as in topic:chat.*
	Call patterns `json:"call"` // methods
}

// patterns are one or a list; in each a * stands for any characters, none and dots included.
type patterns names

// UnmarshalJSON takes what names take.
func (p *patterns) UnmarshalJSON(text []byte) error { return (*names)(p).UnmarshalJSON(text) }

func (p patterns) match(name string) bool {
	for _, one := range p {
		if matches(one, name) {
			return true
		}
	}
	return false
}

// matches takes the pieces between stars one after another, each where it comes first: no later place would leave more for the rest.
func matches(pattern, name string) bool {
	start, rest, starred := strings.Cut(pattern, "*")
	if !starred {
		return pattern == name
	}
	left, found := strings.CutPrefix(name, start)
	for found {
		piece, more, another := strings.Cut(rest, "*")
		if !another {
			return strings.HasSuffix(left, piece)
		}
		_, left, found = strings.Cut(left, piece)
		rest = more
	}
	return false
}

// authorize lets a client do what its token allows.
func authorize(_ context.Context, a gateway.Action) error {
	granted, ok := a.Identity.Rights.(*rights)
	if !ok {
		granted = new(rights)
	}
	var allowed patterns
	switch a.Kind {
	case gateway.ActionJoin:
		allowed = granted.Join
	case gateway.ActionSend:
		allowed = granted.Send
	case gateway.ActionCall:
		allowed = granted.Call
	}
	if allowed.match(a.Target) {
		return nil
	}
	return bus.Reject("forbidden", fmt.Sprintf("the token's claim ackbus.%s does not list %q", a.Kind, clip(a.Target)))
}
