package relay_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/bus/relay/relaytest"
	"github.com/ackbus/ackbus/internal/redistest"
)

// openRedis returns a relay of the suite for the URL.
func openRedis(t *testing.T, url string, o relaytest.Options) *relay.Redis {
	t.Helper()
	r, err := relay.OpenRedis(t.Context(), url, &relay.Options{Prefix: "test:", OutboxPackets: o.OutboxPackets, Linger: o.Linger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestRedisConforms(t *testing.T) {
	// Its cases stop and kill the server, so each has one of its own.
	relaytest.Run(t, func(t *testing.T) relaytest.Factory {
		server := redistest.Start(t)
		client := server.Client()
		var last *relay.Redis
		return relaytest.Factory{
			New: func(t *testing.T, o relaytest.Options) relay.Relay {
				last = openRedis(t, server.URL(), o)
				return last
			},
			Sever: func(t *testing.T, _ []string) {
				if err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
					t.Fatal(err)
				}
			},
			Stall: func(t *testing.T, _ string) func() {
				_ = server.Pause() // reports to the test itself
				block(t, last)
				return func() { _ = server.Resume() }
			},
			Away: func(_ *testing.T) func() {
				_ = server.Kill()
				return func() { _ = server.Restart() }
			},
		}
	})
}

// block publishes to a Redis that does not answer, so that all that comes later has to wait in the outbox.
func block(t *testing.T, r *relay.Redis) {
	t.Helper()
	if err := r.Publish(t.Context(), relay.Packet{Channel: "test:block", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the packet is in flight", r.Sending)
}

func TestMiniredisConforms(t *testing.T) {
	relaytest.Run(t, func(t *testing.T) relaytest.Factory {
		server := miniredis.RunT(t)
		return relaytest.Factory{
			New: func(t *testing.T, o relaytest.Options) relay.Relay {
				return openRedis(t, "redis://"+server.Addr(), o)
			},
			Away: func(t *testing.T) func() {
				server.Close()
				return func() {
					if err := server.Restart(); err != nil {
						t.Fatal(err)
					}
					t.Cleanup(server.Close) // before the leak check, which began with the first server
				}
			},
		}
	})
}
