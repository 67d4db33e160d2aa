package gateway

import "sync"

// Sizes of the buffers that frames borrow while they are read.
const (
	bufferSize = 4 << 10
	bufferKept = 64 << 10 // larger ones are left to the garbage collector
)

var buffers = sync.Pool{New: func() any {
	p := make([]byte, 0, bufferSize)
	return &p
}}

func borrowBuffer() *[]byte { return buffers.Get().(*[]byte) }

// giveBuffer takes a buffer back; nil is allowed.
func giveBuffer(p *[]byte) {
	if p == nil || cap(*p) > bufferKept {
		return
	}
	*p = (*p)[:0]
	buffers.Put(p)
}
