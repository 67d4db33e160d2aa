package gateway

import "sync"

// Sizes of the buffers that frames borrow while they are read.
const (
	bufferSize = 4 << 10
)

var buffers = sync.Pool{New: func() any {
	p := make([]byte, 0, bufferSize)
	return &p
}}

func borrowBuffer() *[]byte { return buffers.Get().(*[]byte) }

// giveBuffer takes a buffer back; nil is allowed.
func giveBuffer(p *[]byte) {
	if p == nil {
		return
	}
	*p = (*p)[:0]
	buffers.Put(p)
}
