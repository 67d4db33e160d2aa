package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/rpc"
)

// An answer is what became of one request.
type answer struct {
	request int // from 1, as they were asked
	asked   terms
	sum     int
	err     error
	node    string // who answered
	took    time.Duration
}

// ask asks for all the sums, as many at once as the config says, and tells of each answer as it comes.
func ask(ctx context.Context, c config, out io.Writer, tell func(answer)) error {
	log := slog.New(slog.DiscardHandler)
	b, err := bus.Open(ctx, c.redis, &bus.Options{Name: "requester", Logger: log})
	if err != nil {
		return err
	}
	defer b.Close()
	client, err := rpc.NewClient(b, &rpc.ClientOptions{Timeout: 20 * time.Second, Logger: log})
	if err != nil {
		return err
	}
	defer client.Close()

	if err := meet(ctx, client, out); err != nil {
		return err
	}
	answers := make(chan answer)
	var requesters errgroup.Group
	requesters.SetLimit(c.atOnce)
	go func() { // it ends with the last answer, which is waited for below
		for i := range c.requests {
			requesters.Go(func() error {
				answers <- askOne(ctx, client, i+1)
				return nil
			})
		}
		_ = requesters.Wait() // what failed stands in its answer
		close(answers)
	}()
	for a := range answers {
		tell(a)
	}
	return nil
}

// meet says who is there. A client finds the instances by itself, one after another; who has asked for them knows all, and shares the work
// among all from the first call on.
func meet(ctx context.Context, client *rpc.Client, out io.Writer) error {
	methods, err := client.Methods(ctx)
	if err != nil {
		return err
	}
	for _, m := range methods {
		for _, in := range m.Instances {
			fmt.Fprintf(out, "%s serves %s\n", in.Node, m.Name)
		}
	}
	return nil
}

// askOne is one request, and its reply. Who waits for which reply is the bus's to know: each goroutine gets its own.
func askOne(ctx context.Context, client *rpc.Client, request int) answer {
	a := answer{request: request, asked: terms{A: request, B: 1000 - 7*request}}
	var receipt *bus.Receipt
	began := time.Now()
	a.sum, a.err = rpc.Call[int](ctx, client, method, a.asked, rpc.Trace(&receipt))
	a.took = time.Since(began)
	if receipt != nil && len(receipt.Deliveries) > 0 {
		a.node = receipt.Deliveries[0].Node
	}
	return a
}

// A tally is what is left when all have been answered.
type tally struct {
	right, wrong, unknown, failed int
	late                          int // right ones that came after one that was asked later
	latest                        int
	by                            map[string]int
}

func (t *tally) take(a answer) {
	switch {
	case rpc.CodeOf(a.err) == rpc.CodeUnknown:
		t.unknown++
	case a.err != nil:
		t.failed++
	case a.sum != a.asked.A+a.asked.B:
		t.wrong++
	default:
		t.right++
		t.by[a.node]++
		if a.request < t.latest {
			t.late++
		}
	}
	t.latest = max(t.latest, a.request)
}

func printAnswer(out io.Writer, a answer) {
	if a.err != nil {
		fmt.Fprintf(out, "request %3d: %d + %d: %v\n", a.request, a.asked.A, a.asked.B, a.err)
		return
	}
	fmt.Fprintf(out, "request %3d: %d + %d = %d  from %s, after %d ms\n", a.request, a.asked.A, a.asked.B, a.sum, a.node,
		a.took.Milliseconds())
}
