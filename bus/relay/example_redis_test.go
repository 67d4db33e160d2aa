package relay_test

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"

	"github.com/ackbus/ackbus/bus/relay"
)

// printer is a receiver that hands on what arrives.
type printer chan string

func (p printer) Receive(m relay.Message) {
	p <- fmt.Sprintf("received %s on %s", m.Payload, m.Channel)
}

func (p printer) Published(results []relay.Result) {
	for _, r := range results {
		p <- fmt.Sprintf("packet %d went to %d connection", r.Token, r.Count)
	}
}

func (p printer) Lane(relay.LaneEvent) {}

func ExampleOpenRedis() {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	ctx := context.Background()
	r, err := relay.OpenRedis(ctx, "redis://"+server.Addr(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	said := make(printer, 2)
	if err := r.Start(ctx, relay.Self{ID: "node-1"}, said); err != nil {
		fmt.Println(err)
		return
	}
	release, err := r.Subscribe(ctx, relay.Channel{Name: "news"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer release()
	if err := r.Publish(ctx, relay.Packet{Channel: "news", Payload: []byte("hello"), Token: 1}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-said)
	fmt.Println(<-said)
	// Unordered output:
	// received hello on news
	// packet 1 went to 1 connection
}
