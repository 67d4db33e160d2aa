package main

import (
	"context"
	"crypto/sha1" //nolint:gosec // that weak hashes can be reversed is the point
	"encoding/hex"
	"fmt"
	"io"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/worker"
)

// work hashes batches until ctx ends or the sink stops everybody.
func (p *party) work(ctx context.Context, concurrency int, errOut io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	// It confirms once it has stopped: then the sink knows that nobody needs the broker any more.
	_, err := p.bus.Subscribe(ctx, bus.Topic(stopTopic), func(ctx context.Context, _ *bus.Message) (bus.Body, error) {
		cancel()
		select {
		case <-ended:
		case <-ctx.Done():
		}
		return bus.Body{}, nil
	})
	if err != nil {
		return err
	}
	pool := p.jobs.Pool(nil)
	worker.Handle(pool, queueName, hashBatch, worker.Concurrency(concurrency))
	fmt.Fprintln(errOut, "working as", p.bus.Node().Name)
	err = pool.Run(ctx)
	close(ended)
	return err
}

// hashBatch hashes all words of a batch, until one has the hash. Its context ends when somebody else has found it.
func hashBatch(ctx context.Context, b batch) (answer, error) {
	const look = 1 << 12 // words between two looks at the context
	var wanted [sha1.Size]byte
	if n, err := hex.Decode(wanted[:], []byte(b.Hash)); err != nil || n != len(wanted) || b.Alphabet == "" {
		return answer{}, worker.Reject(fmt.Errorf("no batch: %+v", b))
	}
	var a answer
	for word := range b.words() {
		if a.Tried++; sha1.Sum(word) == wanted { //nolint:gosec // see above
			a.Found = string(word)
			break
		}
		if a.Tried%look == 0 && ctx.Err() != nil {
			return answer{}, context.Cause(ctx)
		}
	}
	return a, nil
}
