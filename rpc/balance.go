package rpc

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// choose picks the instance for the next attempt of a call, or nil where none is left. Without wishes it is the one of two random
// instances that has fewer of this client's calls in flight.
func (c *Client) choose(r *route, o *callOptions, tried []*instance) *instance {
	if len(tried) == 0 && !o.sticky && o.node == "" {
		if in := c.lessLoaded(r.ready); !c.isShunned(in) {
			return in
		}
	}
	for _, from := range [][]*instance{r.ready, r.all} {
		if left := c.left(from, o, tried); len(left) > 0 {
			if o.sticky {
				return c.nearest(left, o.affinity)
			}
			return c.lessLoaded(left)
		}
	}
	return nil
}

// left is what may still be tried: not those that did not answer a moment ago, if there are others.
func (c *Client) left(from []*instance, o *callOptions, tried []*instance) []*instance {
	var left, shunned []*instance
	for _, in := range from {
		switch {
		case o.node != "" && o.node != in.name && o.node != in.text, slices.ContainsFunc(tried, in.isAt):
		case c.isShunned(in):
			shunned = append(shunned, in)
		default:
			left = append(left, in)
		}
	}
	if len(left) == 0 {
		return shunned
	}
	return left
}

// isAt reports whether the other is at the same node.
func (in *instance) isAt(other *instance) bool { return in.node == other.node }

// lessLoaded is the one of two random instances with fewer calls in flight.
func (c *Client) lessLoaded(from []*instance) *instance {
	n := uint32(len(from))
	if n == 1 {
		return from[0]
	}
	random := rand.Uint64()
	i := uint32(uint64(uint32(random)) * uint64(n) >> 32)
	j := uint32((random >> 32) * uint64(n-1) >> 32)
	if j >= i {
		j++
	}
	if from[j].inFlight.Load() < from[i].inFlight.Load() || c.isShunned(from[i]) {
		return from[j]
	}
	return from[i]
}

// nearest is the instance that the key belongs to: rendezvous hashing, so when one leaves only its keys move.
func (c *Client) nearest(from []*instance, key string) *instance {
	hash := hashText(key)
	return slices.MaxFunc(from, func(a, b *instance) int { return cmp.Compare(mix(hash^a.hash), mix(hash^b.hash)) })
}

// shun keeps an instance that did not answer from being chosen for a while.
func (c *Client) shun(in *instance) {
	in.shunned.Store(int64(time.Since(c.began) + shunFor))
}

func (c *Client) isShunned(in *instance) bool {
	until := in.shunned.Load()
	if until == 0 {
		return false
	}
	if time.Since(c.began) < time.Duration(until) {
		return true
	}
	in.shunned.CompareAndSwap(until, 0)
	return false
}

// hashText is FNV-1a with its bits mixed: every process has to come to the same instance.
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finalizer of SplitMix64: neighbours in, strangers out.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
