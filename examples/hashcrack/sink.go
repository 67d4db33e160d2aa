package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/worker"
)

// sink takes the answers and draws the bar. It returns errFound with the word, and "" once all answers are there.
func sink(results <-chan *worker.Result, b *bar) (string, error) {
	const redraw = 100 * time.Millisecond
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	defer b.end()
	for {
		select {
		case result, more := <-results:
			if !more {
				return "", nil
			}
			var a answer
			if err := result.Body.Decode(&a); err != nil {
				return "", err
			}
			b.add(result.Worker, a.Tried)
			if a.Found != "" {
				return a.Found, errFound
			}
		case <-ticker.C:
			b.draw()
		}
	}
}

// stopEverybody ends the workers, and returns once they have left, so that the broker inside may end too.
func (p *party) stopEverybody(errOut io.Writer) {
	const again = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	stopped := make(map[uuid.UUID]bool)
	ticker := time.NewTicker(again)
	defer ticker.Stop()
	for left := false; !left; {
		receipt, err := p.bus.Request(ctx, bus.Topic(stopTopic), "stop", bus.Body{}, bus.Require(bus.All()))
		if receipt != nil {
			for _, d := range receipt.Deliveries {
				stopped[d.NodeID] = true
			}
		}
		left = errors.Is(err, bus.ErrNoReceiver) && len(p.bus.Nodes()) == 1 // one that is about to listen has joined before
		select {
		case <-ticker.C:
		case <-ctx.Done(): // some may hang, or serve another purpose
			left = true
		}
	}
	fmt.Fprintf(errOut, "stopped %d workers\n", len(stopped))
}
