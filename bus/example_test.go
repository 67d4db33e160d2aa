package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
)

// cluster starts two nodes of one process on a relay in memory.
func cluster(ctx context.Context) (from, at *bus.Bus, end func()) {
	hub := relay.NewHub(nil)
	var nodes []*bus.Bus
	for _, name := range []string{"from", "at"} {
		b, err := bus.New(ctx, hub.Relay(), &bus.Options{Name: name, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			panic(err)
		}
		nodes = append(nodes, b)
	}
	return nodes[0], nodes[1], func() {
		for _, b := range nodes {
			_ = b.Close()
		}
	}
}

// A bus in memory, for tests and for programs of one process; Open attaches to Redis instead.
func ExampleNew() {
	b, err := bus.New(context.Background(), relay.NewHub(nil).Relay(), &bus.Options{Name: "node-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	fmt.Println(b.Node().Name)
	// Output: node-1
}

func ExampleBus_Request() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	from, at, end := cluster(ctx)
	defer end()
	_, err := at.Subscribe(ctx, bus.User("42"), func(_ context.Context, m *bus.Message) (bus.Body, error) {
		return bus.JSON("thank you for " + m.Event), nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := from.Request(ctx, bus.User("42"), "payment.settled", bus.JSON(map[string]int{"amount": 100}))
	if err != nil {
		fmt.Println(err)
		return
	}
	var reply string
	err = receipt.Deliveries[0].Reply.Decode(&reply)
	fmt.Println(receipt.Outcome, "by", receipt.Deliveries[0].Node, reply, err)
	// Output: confirmed by at thank you for payment.settled <nil>
}

// An error of Request that carries a receipt says which outcome it was, and the receipt who refused and why.
func ExampleReceiptError() {
	ctx := context.Background()
	from, at, end := cluster(ctx)
	defer end()
	_, err := at.Subscribe(ctx, bus.User("42"), func(context.Context, *bus.Message) (bus.Body, error) {
		return bus.Body{}, bus.Reject("no_funds", "the account is empty")
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = from.Request(ctx, bus.User("42"), "payment.settled", bus.Body{})
	fmt.Println(errors.Is(err, bus.ErrRejected))
	if failed, ok := errors.AsType[*bus.ReceiptError](err); ok {
		fmt.Println(failed.Receipt.Deliveries[0].Node, failed.Receipt.Deliveries[0].Error)
	}
	// Output:
	// true
	// at no_funds: the account is empty
}

func ExampleRequire() {
	ctx := context.Background()
	from, at, end := cluster(ctx)
	defer end()
	for _, b := range []*bus.Bus{from, at, at} {
		_, err := b.Subscribe(ctx, bus.Group("news"), func(context.Context, *bus.Message) (bus.Body, error) { return bus.Body{}, nil })
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	receipt, err := from.Request(ctx, bus.Group("news"), "headline", bus.JSON("hello"), bus.Require(bus.All()))
	fmt.Println(receipt.Counts[bus.OutcomeConfirmed], "of", receipt.Expected, "on", receipt.Nodes, "nodes,", err)
	_, err = from.Request(ctx, bus.Group("news"), "headline", bus.JSON("hello"), bus.Require(bus.AtLeast(4)))
	fmt.Println(errors.Is(err, bus.ErrTooFew))
	// Output:
	// 3 of 3 on 2 nodes, <nil>
	// true
}

func ExampleBus_Publish() {
	ctx := context.Background()
	from, at, end := cluster(ctx)
	defer end()
	got := make(chan string)
	_, err := at.Subscribe(ctx, bus.Topic("chat.42"), func(_ context.Context, m *bus.Message) (bus.Body, error) {
		var text string
		err := m.Body.Decode(&text)
		got <- text
		return bus.Body{}, err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	published, err := from.Publish(ctx, bus.Topic("chat.42"), "said", bus.JSON("hello"))
	fmt.Println(published.Receivers, err, <-got)
	// Output: 1 <nil> hello
}

func ExampleBus_Subscribe() {
	ctx := context.Background()
	from, at, end := cluster(ctx)
	defer end()
	s, err := at.Subscribe(ctx, bus.Topic("sum"), func(_ context.Context, m *bus.Message) (bus.Body, error) {
		var n []int
		if err := m.Body.Decode(&n); err != nil {
			return bus.Body{}, bus.Reject("bad_request", "want numbers")
		}
		sum := 0
		for _, each := range n {
			sum += each
		}
		return bus.JSON(sum), nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	receipt, err := from.Request(ctx, bus.Topic("sum"), "add", bus.JSON([]int{1, 2, 3}))
	fmt.Println(string(receipt.Deliveries[0].Reply.Raw()), err)
	_, err = from.Request(ctx, bus.Topic("sum"), "add", bus.JSON("one"))
	fmt.Println(err)
	// Output:
	// 6 <nil>
	// bus: request add to topic:sum: rejected: bad_request: want numbers
}

func ExampleBus_SubscribePattern() {
	ctx := context.Background()
	from, at, end := cluster(ctx)
	defer end()
	_, err := at.SubscribePattern(ctx, "chat.*", func(_ context.Context, m *bus.Message) (bus.Body, error) {
		return bus.JSON("heard in " + m.To.Name()), nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := from.Request(ctx, bus.Topic("chat.42"), "said", bus.JSON("hello"))
	fmt.Println(string(receipt.Deliveries[0].Reply.Raw()), err)
	// Output: "heard in chat.42" <nil>
}

func ExampleOnce() {
	ctx := context.Background()
	from, at, end := cluster(ctx)
	defer end()
	taken := func(context.Context, *bus.Message) (bus.Body, error) { return bus.Body{}, nil }
	_, err := at.Subscribe(ctx, bus.User("42"), taken, bus.Once())
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		receipt, err := from.Request(ctx, bus.User("42"), "e", bus.Body{})
		fmt.Println(receipt.Outcome, errors.Is(err, bus.ErrNoReceiver))
	}
	// Output:
	// confirmed false
	// no_receiver true
}
