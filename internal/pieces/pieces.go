// Package pieces collects bytes of which nobody knows how many will come. Who sends them a little at a time makes this process hold little
// more than was sent: pieces are of one size and used again, where a slice that grows leaves its former selves to the garbage collector.
package pieces

import "sync"

// Size is how many bytes one piece has.
const Size = 16 << 10

var free = sync.Pool{New: func() any { return new([Size]byte) }}

// A Collection is what has come so far. The zero value is empty. It is not for several goroutines at once.
type Collection struct {
	pieces []*[Size]byte
	length int
}

// Len is how many bytes there are.
func (c *Collection) Len() int { return c.length }

// Full reports whether the next Room takes a piece more.
func (c *Collection) Full() bool { return c.length == len(c.pieces)*Size }

// Room is where the next bytes go: at least one, at most Size. Added says how many came.
func (c *Collection) Room() []byte {
	if c.Full() {
		c.pieces = append(c.pieces, free.Get().(*[Size]byte))
	}
	return c.pieces[len(c.pieces)-1][c.length%Size:]
}

// Added counts bytes in that were put into Room.
func (c *Collection) Added(n int) { c.length += n }

// MoveTo appends all bytes to p, which should have room for them, and leaves the collection empty.
func (c *Collection) MoveTo(p []byte) []byte {
	for _, piece := range c.pieces {
		n := min(c.length, Size)
		p = append(p, piece[:n]...)
		c.length -= n
	}
	c.Drop()
	return p
}

// Drop empties the collection.
func (c *Collection) Drop() {
	for _, piece := range c.pieces {
		free.Put(piece)
	}
	*c = Collection{}
}
