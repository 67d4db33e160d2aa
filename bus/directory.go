package bus

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
)

// directory knows which endpoints of this node are at which address. Its keys are addresses as text, and patterns.
type directory struct {
	mu     sync.RWMutex
	places map[string]*place
}

// place is one address and who is there.
type place struct {
	to   Address
	here []*Attachment

	event atomic.Pointer[string] // of the last message: most addresses see few different ones
}

// eventOf is the text of an event, which is not allocated where it is that of the last message.
func (p *place) eventOf(event []byte) string {
	if last := p.event.Load(); last != nil && *last == string(event) {
		return *last
	}
	text := string(event)
	p.event.Store(&text)
	return text
}

func newDirectory() *directory { return &directory{places: make(map[string]*place)} }

// find returns the place with the key, nil if nobody is there, and appends those who are to buf.
func (d *directory) find(key []byte, buf []*Attachment) (*place, []*Attachment) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p := d.places[string(key)]
	if p == nil {
		return nil, buf
	}
	return p, append(buf, p.here...)
}

// add puts the attachment at the key.
func (d *directory) add(key string, to Address, a *Attachment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.places[key]
	if p == nil {
		p = &place{to: to}
		d.places[key] = p
	}
	if !slices.Contains(p.here, a) {
		p.here = append(p.here, a)
	}
}

func (d *directory) remove(key string, a *Attachment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.places[key]
	if p == nil {
		return
	}
	if i := slices.Index(p.here, a); i >= 0 {
		p.here = slices.Delete(p.here, i, i+1)
	}
	if len(p.here) == 0 {
		delete(d.places, key)
	}
}

// The Redis channels of the bus, all below the prefix.

func nodeChannel(prefix, nameOrID string) string { return prefix + "n:" + nameOrID }

func replyChannel(prefix string, node uuid.UUID) string { return prefix + "r:" + node.String() }

func membersChannel(prefix string) string { return prefix + "members" }

// addressChannel is the channel that carries an address. A socket is reached through its node.
func addressChannel(prefix string, to Address) string {
	if to.kind == "node" {
		return nodeChannel(prefix, to.name)
	}
	if node := to.boundTo(); node != "" {
		return nodeChannel(prefix, node)
	}
	if to.name == "" {
		return prefix + "a:" + to.kind
	}
	return prefix + "a:" + to.kind + ":" + to.name
}

// patternChannel is the pattern over channels that a pattern over topics means.
func patternChannel(prefix, pattern string) string {
	return escapeGlob(prefix) + "a:topic:" + pattern
}

// escapeGlob makes a pattern that matches the text alone.
func escapeGlob(text string) string {
	var out []byte
	for _, c := range []byte(text) {
		if c == '*' || c == '?' || c == '[' || c == ']' || c == '\\' || c == '^' {
			out = append(out, '\\')
		}
		out = append(out, c)
	}
	return string(out)
}

// clear takes everybody away.
func (d *directory) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.places)
}
