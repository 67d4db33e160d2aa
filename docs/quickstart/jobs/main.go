// Jobs works at a queue, enqueues a job and prints its result. It is the second Go program of the README.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/worker"
)

func main() {
	if err := run(context.Background(), cmp.Or(os.Getenv("ACKBUS_REDIS"), "redis://127.0.0.1:7072"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is main, of a program for people
	}
}

func run(ctx context.Context, redis string, out io.Writer) error {
	b, err := bus.Open(ctx, redis, &bus.Options{Name: "counting"})
	if err != nil {
		return err
	}
	defer b.Close()

	jobs, err := worker.Open(ctx, b, redis, nil)
	if err != nil {
		return err
	}
	defer jobs.Close()

	pool := jobs.Pool(nil)
	worker.Handle(pool, "sums", func(_ context.Context, numbers []int) (sum int, err error) {
		for _, n := range numbers {
			sum += n
		}
		return sum, nil // an error would have the job tried again
	})
	working, stop := context.WithCancel(ctx) // its end drains the pool
	defer stop()
	var group errgroup.Group
	group.Go(func() error { return pool.Run(working) })

	sum, err := worker.Call[int](ctx, jobs.Queue("sums"), []int{1, 2, 3}) // from any process; Enqueue does not wait
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "the sum is", sum)
	stop()
	return group.Wait()
}
