package relay_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// hubPrinter is a receiver that says what it gets.
type hubPrinter struct{ id string }

func (p hubPrinter) Receive(m relay.Message) {
	fmt.Printf("%s received %s on %s\n", p.id, m.Payload, m.Channel)
}

func (p hubPrinter) Published(results []relay.Result) {
	for _, r := range results {
		fmt.Printf("%s was told of packet %d: count %d, error %v\n", p.id, r.Token, r.Count, r.Err)
	}
}

func (p hubPrinter) Lane(e relay.LaneEvent) { fmt.Printf("%s's lane %d: up %t\n", p.id, e.Lane, e.Up) }

// Two nodes meet on a hub, in virtual time, and one of them loses a lane.
func ExampleHub() {
	var clock relaytest.Clock
	hub := relay.NewHub(&relay.HubOptions{Lanes: 1, After: clock.After})
	publisher, subscriber := hub.Relay(), hub.Relay()
	ctx := context.Background()
	_ = publisher.Start(ctx, relay.Self{ID: "publisher"}, hubPrinter{"publisher"})
	_ = subscriber.Start(ctx, relay.Self{ID: "subscriber"}, hubPrinter{"subscriber"})
	if _, err := subscriber.Subscribe(ctx, relay.Channel{Name: "news"}); err != nil {
		fmt.Println(err)
	}
	_ = publisher.Publish(ctx, relay.Packet{Channel: "news", Payload: []byte("first"), Token: 1})
	clock.Advance(0)
	hub.Fall("subscriber", 0, time.Second)
	_ = publisher.Publish(ctx, relay.Packet{Channel: "news", Payload: []byte("second"), Token: 2})
	clock.Advance(time.Second)
	// Output:
	// subscriber received first on news
	// publisher was told of packet 1: count 1, error <nil>
	// subscriber's lane 0: up false
	// publisher was told of packet 2: count 0, error <nil>
	// subscriber's lane 0: up true
}
