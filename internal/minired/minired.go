// Package minired is a Redis in this process, for development: miniredis, with the time passing for its keys.
package minired

import (
	"context"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ackbus/ackbus/internal/run"
)

// A Server is one such Redis. It keeps its data in memory and ends with Close.
type Server struct {
	redis *miniredis.Miniredis
	clock *run.Group
}

// Start starts one at the address, host:port; port 0 is any free one.
func Start(address string) (*Server, error) {
	s := &Server{redis: miniredis.NewMiniRedis(), clock: run.New(context.Background())}
	if err := s.redis.StartAddr(address); err != nil {
		return nil, err
	}
	s.clock.Go(s.tick)
	return s, nil
}

// URL is what clients of this machine join with.
func (s *Server) URL() string { return "redis://" + s.redis.Addr() }

// tick lets the time pass for keys that expire: miniredis does not by itself.
func (s *Server) tick() {
	const step = time.Second
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.redis.FastForward(step)
		case <-s.clock.Context().Done():
			return
		}
	}
}

// Close ends it, and with it its connections.
func (s *Server) Close() {
	s.clock.Stop()
	s.clock.Wait()
	s.redis.Close()
}
