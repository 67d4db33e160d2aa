package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ackbus/ackbus/bus"
)

// Items of a stream travel in batches: the number of the first item, and then for each its format, its length and its bytes. Numbers
// and lengths are uvarints.

// Bounds of a batch. An item that is larger goes alone.
const (
	batchItems = 512
	batchBytes = 64 << 10
)

var errBatch = errors.New("broken batch of items")

func appendItem(p []byte, item bus.Body) []byte {
	p = append(p, byte(item.Format()))
	p = binary.AppendUvarint(p, uint64(len(item.Raw())))
	return append(p, item.Raw()...)
}

// decodeBatch reads a batch that came from a node. The items alias p.
func decodeBatch(p []byte) (first uint64, items []bus.Body, err error) {
	first, n := binary.Uvarint(p)
	if n <= 0 {
		return 0, nil, fmt.Errorf("%w: it has no number", errBatch)
	}
	for p = p[n:]; len(p) > 0; {
		format := bus.Format(p[0])
		size, n := binary.Uvarint(p[1:])
		if n <= 0 || size > uint64(len(p)-1-n) {
			return 0, nil, fmt.Errorf("%w: item %d has no end", errBatch, first+uint64(len(items)))
		}
		begin, end := 1+n, 1+n+int(size)
		item, err := bus.Encoded(format, p[begin:end:end])
		if err != nil {
			return 0, nil, fmt.Errorf("%w: item %d: %w", errBatch, first+uint64(len(items)), err)
		}
		if items = append(items, item); len(items) > batchItems {
			return 0, nil, fmt.Errorf("%w: more than %d items", errBatch, batchItems)
		}
		p = p[end:]
	}
	return first, items, nil
}
