package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ackbus/ackbus/internal/run"
)

// embeddedAddress is where a serve without --redis has its Redis, and where commands look when they are told no other.
const embeddedAddress = "127.0.0.1:7072"

// An embedded is a Redis in this process, for development: a single stopped reader can hold it up, and it never drops a slow
// subscriber, so what the guarantees say of loss and of death does not hold on it.
type embedded struct {
	redis  *miniredis.Miniredis
	ticker *run.Group
}

// startEmbedded starts it at the address, or, where giveWay is set and the address is taken, at any free port of loopback.
func startEmbedded(address string, giveWay bool, log *slog.Logger) (*embedded, error) {
	if local, err := isLoopback(address); err != nil || !local {
		return nil, usageError("--embedded %s: the embedded Redis has no password: want a loopback address, as in %s", address,
			embeddedAddress)
	}
	redis := miniredis.NewMiniRedis()
	err := redis.StartAddr(address)
	if err != nil && giveWay {
		redis = miniredis.NewMiniRedis()
		err = redis.StartAddr("127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	e := &embedded{redis: redis, ticker: run.New(context.Background())}
	e.ticker.Go(e.tick)
	log.Warn("embedded Redis, for development only: no silent loss and noticed death are not guaranteed on it, and it ends with this "+
		"process; other nodes and commands join it with --redis", "url", e.url())
	return e, nil
}

func (e *embedded) url() string { return "redis://" + e.redis.Addr() }

// tick lets the time pass for keys that expire: miniredis does not by itself.
func (e *embedded) tick() {
	const step = time.Second
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			e.redis.FastForward(step)
		case <-e.ticker.Context().Done():
			return
		}
	}
}

func (e *embedded) close() {
	e.ticker.Stop()
	e.ticker.Wait()
	e.redis.Close()
}
