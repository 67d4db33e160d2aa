// Hashcrack finds the word behind a SHA-1 hash, with as many workers as come: the pipeline of the messaging textbooks. A ventilator cuts
// all words over an alphabet into batches and enqueues them, workers hash them, and a sink takes their answers, prints the find and stops
// everybody.
//
// Workers may come and go at will, also by kill -9: a batch whose worker is gone is hashed by another, so no word is left out. Batches
// that were enqueued before any worker was there wait.
//
// It runs over a Redis that is there anyway, or with no broker of its own: then the ventilator has one inside, to which workers connect.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/minired"
	"github.com/ackbus/ackbus/worker"
)

const (
	queueName = "hashcrack"      // of the batches
	stopTopic = "hashcrack.stop" // where the sink stops everybody
	// brokerAddress is where the ventilator has its own broker, and where workers look.
	brokerAddress = "127.0.0.1:7390"
	// leaveTime bounds what is cleared up at the end.
	leaveTime = 5 * time.Second
)

const usage = `usage: hashcrack crack -hash SHA1 [-alphabet a-z…] [-length 5] [-redis URL]    the ventilator and the sink
       hashcrack work [-redis URL] [-concurrency N]                            a worker; any number, at any time

Without -redis, crack has a broker inside, and work connects to it.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit code: 0 done, 1 not found or failed, 2 wrong usage.
func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	role := ""
	if len(args) > 0 {
		role, args = args[0], args[1:]
	}
	var err error
	switch role {
	case "crack":
		err = crackMain(ctx, args, out, errOut)
	case "work":
		err = workMain(ctx, args, errOut)
	default:
		err = &usageError{fmt.Errorf("want crack or work, not %q", role)}
	}
	switch wrong, ok := errors.AsType[*usageError](err); {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp): // the flags have been told
		return 0
	case ok:
		fmt.Fprintf(errOut, "hashcrack: %v\n%s", wrong, usage)
		return 2
	}
	fmt.Fprintln(errOut, "hashcrack:", err)
	return 1
}

// A usageError is a command line that can't be meant.
type usageError struct{ error }

func parse(flags *flag.FlagSet, args []string, errOut io.Writer) error {
	flags.SetOutput(errOut)
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("what is %q for?", flags.Arg(0))
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return &usageError{err}
	}
	return err
}

// crackMain is the ventilator and the sink.
func crackMain(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("crack", flag.ContinueOnError)
	hash := flags.String("hash", "", "the SHA-1 hash in hexadecimal (needed)")
	alphabet := flags.String("alphabet", "abcdefghijklmnopqrstuvwxyz", "the letters that words are made of")
	length := flags.Int("length", 5, "how many letters a word has at most")
	batch := flags.Uint64("batch", 100_000, "how many words a batch has")
	ahead := flags.Int("ahead", 64, "how many batches may be under way")
	redis := flags.String("redis", "", "URL of a Redis (default: a broker inside, at -listen)")
	listen := flags.String("listen", brokerAddress, "where the broker inside is reached")
	if err := parse(flags, args, errOut); err != nil {
		return err
	}
	s, err := newSearch(*hash, *alphabet, *length, *batch)
	if err != nil {
		return &usageError{err}
	}
	if *ahead < 1 {
		return &usageError{errors.New("-ahead: want 1 or more")}
	}
	if *redis == "" {
		b, err := minired.Start(*listen)
		if err != nil {
			return fmt.Errorf("the broker inside: %w", err)
		}
		defer b.Close()
		*redis = b.URL()
		fmt.Fprintf(errOut, "workers connect with: hashcrack work -redis %s\n", *redis)
	}
	p, err := attach(ctx, *redis, "ventilator", errOut)
	if err != nil {
		return err
	}
	defer p.close()
	found, err := p.crack(ctx, s, *ahead, newBar(errOut, s.total()))
	if err != nil {
		return err
	}
	p.stopEverybody(errOut)
	if found == "" {
		return fmt.Errorf("none of the %d words has this hash", s.total())
	}
	_, err = fmt.Fprintf(out, "%s is %q\n", *hash, found)
	return err
}

// workMain is a worker.
func workMain(ctx context.Context, args []string, errOut io.Writer) error {
	flags := flag.NewFlagSet("work", flag.ContinueOnError)
	redis := flags.String("redis", "redis://"+brokerAddress, "URL of the Redis, or of the ventilator's broker")
	name := flags.String("name", "", "name of the worker (default: host and process)")
	concurrency := flags.Int("concurrency", runtime.GOMAXPROCS(0), "how many batches are hashed at once")
	if err := parse(flags, args, errOut); err != nil {
		return err
	}
	if *concurrency < 1 {
		return &usageError{errors.New("-concurrency: want 1 or more")}
	}
	host, _ := os.Hostname() // a process has its number in any case
	p, err := attachPatiently(ctx, *redis, cmp.Or(*name, fmt.Sprintf("%s/%d", host, os.Getpid())), errOut)
	if err != nil {
		return err
	}
	defer p.close()
	return p.work(ctx, *concurrency, errOut)
}

// A party is one process of the pipeline: its bus and its queue.
type party struct {
	bus   *bus.Bus
	jobs  *worker.Jobs
	queue *worker.Queue
}

// attach joins the others. ctx bounds the call.
func attach(ctx context.Context, redis, name string, errOut io.Writer) (*party, error) {
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: slog.LevelError}))
	b, err := bus.Open(ctx, redis, &bus.Options{Name: name, Prefix: "hashcrack:", Logger: log})
	if err != nil {
		return nil, err
	}
	jobs, err := worker.Open(ctx, b, redis, &worker.Options{Logger: log})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &party{b, jobs, jobs.Queue(queueName)}, nil
}

// attachPatiently waits for whoever has the broker: workers may come before it.
func attachPatiently(ctx context.Context, redis, name string, errOut io.Writer) (*party, error) {
	const pause, knock = 500 * time.Millisecond, 2 * time.Second
	for first := true; ; first = false {
		attempt, cancel := context.WithTimeout(ctx, knock)
		p, err := attach(attempt, redis, name, errOut)
		cancel()
		if err == nil || !errors.Is(err, relay.ErrUnavailable) && !errors.Is(err, worker.ErrUnavailable) {
			return p, err
		}
		if first {
			fmt.Fprintln(errOut, "waiting for", redis)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// close leaves. What is on its way goes first.
func (p *party) close() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	_ = errors.Join(p.jobs.Close(), p.bus.Drain(ctx), p.bus.Close()) // the process ends anyway
}
