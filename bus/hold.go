package bus

import "github.com/ackbus/ackbus/bus/relay"

// hold keeps an address subscribed while an ID that was delivered there is remembered: a request that uses the ID again
// must find this node, also when the endpoint has left.
type hold struct {
	n       int
	release func() // nil while it is being subscribed
}

// held is an address or a pattern that is to be kept.
type held struct {
	key     string
	pattern bool
}

// hold adds one reason to keep the address.
func (b *Bus) hold(what held) {
	key := what.key
	b.holdsMu.Lock()
	h := b.holds[key]
	first := h == nil
	if first {
		h = &hold{}
		b.holds[key] = h
	}
	h.n++
	b.holdsMu.Unlock()
	if !first {
		return
	}
	channel := relay.Channel{Name: key, Pattern: what.pattern}
	if !what.pattern {
		to, err := ParseAddress(key)
		if err != nil {
			return
		}
		channel.Name = addressChannel(b.prefix, to)
	}
	b.group.Go(func() {
		release, err := b.relay.Subscribe(b.group.Context(), channel)
		b.holdsMu.Lock()
		switch {
		case err != nil:
			if b.holds[key] == h {
				delete(b.holds, key)
			}
			b.holdsMu.Unlock()
		case h.n == 0:
			b.holdsMu.Unlock()
			release()
		default:
			h.release = release
			b.holdsMu.Unlock()
		}
	})
}

// release takes one reason away.
func (b *Bus) release(key string) {
	b.holdsMu.Lock()
	h := b.holds[key]
	if h == nil {
		b.holdsMu.Unlock()
		return
	}
	h.n--
	var release func()
	if h.n == 0 {
		delete(b.holds, key)
		release = h.release
	}
	b.holdsMu.Unlock()
	if release != nil {
		release()
	}
}
