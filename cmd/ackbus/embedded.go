package main

import (
	"fmt"
	"log/slog"

	"github.com/ackbus/ackbus/internal/minired"
)

// embeddedAddress is where a serve without --redis has its Redis, and where commands look when they are told no other.
const embeddedAddress = "127.0.0.1:7072"

// startEmbedded starts a Redis in this process at the address, or, where giveWay is set and the address is taken, at any free port of
// loopback. It is for development: a single stopped reader can hold it up, and it never drops a slow subscriber, so what the
// guarantees say of loss and of death does not hold on it.
func startEmbedded(address string, giveWay bool, log *slog.Logger) (*minired.Server, error) {
	if local, err := isLoopback(address); err != nil || !local {
		return nil, usageError("--embedded %s: the embedded Redis has no password: want a loopback address, as in %s", address,
			embeddedAddress)
	}
	redis, err := minired.Start(address)
	if err != nil && giveWay {
		redis, err = minired.Start("127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	log.Warn("embedded Redis, for development only: no silent loss and noticed death are not guaranteed on it, and it ends with this "+
		"process; other nodes and commands join it with --redis", "url", redis.URL())
	return redis, nil
}
