package main

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ackbus/ackbus/internal/run"
)

// A broker is the Redis inside the ventilator. It keeps its data in memory and ends with it.
type broker struct {
	redis *miniredis.Miniredis
	clock *run.Group
}

func startBroker(address string) (*broker, error) {
	b := &broker{redis: miniredis.NewMiniRedis(), clock: run.New(context.Background())}
	if err := b.redis.StartAddr(address); err != nil {
		return nil, fmt.Errorf("the broker inside: %w", err)
	}
	b.clock.Go(b.tick)
	return b, nil
}

func (b *broker) url() string { return "redis://" + b.redis.Addr() }

// tick lets the time pass for keys that expire: miniredis does not by itself.
func (b *broker) tick() {
	const step = time.Second
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			b.redis.FastForward(step)
		case <-b.clock.Context().Done():
			return
		}
	}
}

func (b *broker) close() {
	b.clock.Stop()
	b.clock.Wait()
	b.redis.Close()
}
