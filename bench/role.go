package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// A brief is the first line that a process gets: its role and what it needs for it.
type brief struct {
	Role        string   `json:"role"`
	Redis       string   `json:"redis"`                 // host:port
	Gateway     string   `json:"gateway,omitempty"`     // host:port of the clients' gateway
	Clients     int      `json:"clients,omitempty"`     // how many users there are
	Concurrency int      `json:"concurrency,omitempty"` // of a handler
	Profiles    profiles `json:"profiles"`
}

// An order is each further line. One without a load asks for the usage alone.
type order struct {
	InFlight int           `json:"in_flight,omitempty"`
	Warmup   time.Duration `json:"warmup,omitempty"`
	Measured time.Duration `json:"measured,omitempty"`
	Settle   time.Duration `json:"settle,omitempty"` // pause to give memory back in before it is measured
}

// An answer follows each line.
type answer struct {
	Error   string `json:"error,omitempty"`
	Address string `json:"address,omitempty"` // host:port where the role listens
	Load    sample `json:"load"`
	Usage   usage  `json:"usage"`
}

// An actor is what a process does in its role.
type actor struct {
	address string
	call    func(ctx context.Context, worker int) error // one request; nil: the role makes none
	close   func() error
}

var roles = map[string]func(ctx context.Context, b brief) (*actor, error){
	"floor-requester":   floorRequester,
	"floor-responder":   floorResponder,
	"plain-requester":   plainRequester,
	"plain-responder":   plainResponder,
	"bus-requester":     busRequester,
	"bus-responder":     busResponder,
	"gateway-publisher": gatewayPublisher,
	"gateway-node":      gatewayNode,
	"gateway-clients":   gatewayClients,
}

// runRole is one of the benchmark's processes, from its brief to the end of its input.
func runRole(args []string) error {
	if len(args) != 1 || roles[args[0]] == nil {
		return fmt.Errorf("%q is no role", args)
	}
	signal.Ignore(os.Interrupt) // of the terminal: the one who started it ends it
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var b brief
	if err := in.Decode(&b); err != nil {
		return err
	}
	stop, err := b.Profiles.start()
	if err != nil {
		return errors.Join(err, out.Encode(answer{Error: err.Error()}))
	}
	a, err := roles[args[0]](ctx, b)
	if err != nil {
		return errors.Join(err, out.Encode(answer{Error: err.Error()}))
	}
	if err := out.Encode(answer{Address: a.address}); err != nil {
		return err
	}
	err = a.serve(ctx, cancel, in, out)
	return errors.Join(err, stop(), a.close())
}

// serve carries out orders until there are no more. An input that ends in the middle of one ends that too.
func (a *actor) serve(ctx context.Context, cancel func(), in *json.Decoder, out *json.Encoder) error {
	orders := make(chan order)
	reader := run.New(ctx)
	reader.Go(func() {
		defer cancel()
		for {
			var o order
			if in.Decode(&o) != nil {
				return
			}
			orders <- o
		}
	})
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-orders:
			if err := out.Encode(a.carryOut(ctx, o)); err != nil {
				return err
			}
		}
	}
}

func (a *actor) carryOut(ctx context.Context, o order) answer {
	var reply answer
	if o.InFlight > 0 {
		if a.call == nil {
			return answer{Error: "this role makes no requests"}
		}
		reply.Load = load(ctx, o, a.call)
	}
	reply.Usage = measureUsage(ctx, o.Settle)
	return reply
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
