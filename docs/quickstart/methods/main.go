// Methods serves a method, calls it and prints the result. It is one of the Go programs of the README.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/rpc"
)

type terms struct {
	A int `json:"a"`
	B int `json:"b"`
}

func main() {
	if err := run(context.Background(), cmp.Or(os.Getenv("ACKBUS_REDIS"), "redis://127.0.0.1:7072"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is main, of a program for people
	}
}

func run(ctx context.Context, redis string, out io.Writer) error {
	b, err := bus.Open(ctx, redis, &bus.Options{Name: "adder"})
	if err != nil {
		return err
	}
	defer b.Close()

	server, err := rpc.NewServer(b, nil)
	if err != nil {
		return err
	}
	defer server.Close()
	rpc.Handle(server, "math.sum", func(_ context.Context, in terms) (int, error) { return in.A + in.B, nil })
	if err := server.Start(ctx); err != nil {
		return err
	}

	client, err := rpc.NewClient(b, nil) // in this process or in any other
	if err != nil {
		return err
	}
	defer client.Close()
	sum, err := rpc.Call[int](ctx, client, "math.sum", terms{A: 1, B: 2})
	if err != nil {
		return err // rpc.CodeOf(err) says what it is, rpc.MayHaveRun(err) whether it may have run
	}
	fmt.Fprintln(out, "the sum is", sum)
	return nil
}
