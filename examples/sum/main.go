// Sum is request and reply as the textbook has it: one asks for sums, several answer, each taking its time. The replies come out of
// order and each finds the one who asked. In between one of the repliers is killed.
//
//	go run ./examples/sum              a redis-server, three repliers in processes of their own, a hundred requests
//	go run ./examples/sum -once        the same, with a method that must not run twice for one call
//	go run ./examples/sum -reply east  a replier alone, for -redis
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// A config is what the flags say.
type config struct {
	redis    string
	reply    string
	once     bool
	requests int
	atOnce   int
	delay    time.Duration
	killAt   int
}

func main() {
	var c config
	flag.StringVar(&c.redis, "redis", "", "the Redis that all share (default: a redis-server is started)")
	flag.StringVar(&c.reply, "reply", "", "be a replier with this name, until standard input ends")
	flag.BoolVar(&c.once, "once", false, "don't declare the method idempotent: a call that may have run is not made again")
	flag.IntVar(&c.requests, "requests", 100, "how many sums to ask for")
	flag.IntVar(&c.atOnce, "at-once", 40, "how many of them at once")
	flag.DurationVar(&c.delay, "delay", 300*time.Millisecond, "how long a replier takes at most")
	flag.IntVar(&c.killAt, "kill-at", 25, "kill a replier after so many replies; 0: none")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	if err := run(ctx, c, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sum:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c config, in io.Reader, out io.Writer) error {
	if c.reply == "" {
		return show(ctx, c, out)
	}
	if c.redis == "" {
		return errors.New("-reply wants -redis")
	}
	return reply(ctx, c, in, out)
}

// Terms are what is asked for.
type terms struct {
	A int `json:"a"`
	B int `json:"b"`
}

const method = "sum"
