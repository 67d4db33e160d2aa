package acceptance

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/ackbus/ackbus/bus"
)

// publisher joins the cluster from this process.
func publisher(t *testing.T, c *cluster) *bus.Bus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b, err := bus.Open(ctx, c.redis.URL(), &bus.Options{Name: "test", Observer: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// What one publisher sends arrives in order, each message once, those included that are awaited.
func TestOrder(t *testing.T) {
	const messages, awaitedEach = 2000, 50
	c := newCluster(t)
	clients := make([]*client, len(carriers))
	for i, over := range carriers {
		clients[i] = connect(t, c.gw2, over, fmt.Sprint("u", i), confirm, "all")
	}
	b := publisher(t, c)
	to := bus.Group("all")
	for i := range messages {
		var err error
		if i%awaitedEach == 0 {
			_, err = b.Request(t.Context(), to, "e", bus.JSON(i), bus.Require(bus.All()))
		} else {
			_, err = b.Publish(t.Context(), to, "e", bus.JSON(i))
		}
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	for i, client := range clients {
		eventually(t, carriers[i]+" has all", func() bool { return len(client.messages("e")) >= messages })
		for at, f := range client.messages("e") {
			if fmt.Sprint(f.Data) != fmt.Sprint(at) || f.Redelivered {
				t.Fatalf("%s: message %d is %+v", carriers[i], at, f)
			}
		}
	}
}
