package role

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

// Argument is the first argument of a program that is to play a role; the role's name is the second.
const Argument = "role"

// An Actor is what a process does in its role.
type Actor struct {
	Address string                                      // host:port where it listens, if it does
	Call    func(ctx context.Context, worker int) error // one request; nil: the role makes none
	Acts    map[string]Act                              // what it does besides, by name
	Close   func() error
}

// An Act is an order that is no load of requests.
type Act func(ctx context.Context, o Order) (Sample, error)

// A Start takes up a role. ctx bounds the role, not the starting.
type Start func(ctx context.Context, b Brief) (*Actor, error)

// Run is a process in one of the roles, from its brief to the end of its input. args are those behind Argument.
func Run(args []string, roles map[string]Start) error {
	if len(args) != 1 || roles[args[0]] == nil {
		return fmt.Errorf("%q is no role", args)
	}
	signal.Ignore(os.Interrupt) // of the terminal: the one who started it ends it
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var b Brief
	if err := in.Decode(&b); err != nil {
		return err
	}
	stop, err := b.Profiles.start()
	if err != nil {
		return errors.Join(err, out.Encode(Answer{Error: err.Error()}))
	}
	a, err := roles[args[0]](ctx, b)
	if err != nil {
		return errors.Join(err, out.Encode(Answer{Error: err.Error()}))
	}
	if err := out.Encode(Answer{Address: a.Address}); err != nil {
		return err
	}
	err = a.serve(ctx, cancel, in, out)
	return errors.Join(err, stop(), a.Close())
}

// serve carries out orders until there are no more. An input that ends in the middle of one ends that too.
func (a *Actor) serve(ctx context.Context, cancel func(), in *json.Decoder, out *json.Encoder) error {
	orders := make(chan Order)
	reader := run.New(ctx)
	reader.Go(func() {
		defer cancel()
		for {
			var o Order
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

func (a *Actor) carryOut(ctx context.Context, o Order) (reply Answer) {
	switch {
	case o.Act != "":
		act := a.Acts[o.Act]
		if act == nil {
			return Answer{Error: "this role does not " + o.Act}
		}
		var err error
		if reply.Load, err = act(ctx, o); err != nil {
			return Answer{Error: err.Error()}
		}
	case o.InFlight > 0:
		if a.Call == nil {
			return Answer{Error: "this role makes no requests"}
		}
		reply.Load = Load(ctx, o, a.Call)
	}
	reply.Usage = measureUsage(ctx, o.Settle)
	return reply
}

// Pause waits, unless ctx ends first.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
