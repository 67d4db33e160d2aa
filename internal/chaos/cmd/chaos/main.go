// Command chaos runs a cluster through faults that a seed draws, and judges what everybody wrote down. With directories as its
// arguments it judges the histories there again.
//
//	go run ./internal/chaos/cmd/chaos -seed 7 -minutes 2
//	go run ./internal/chaos/cmd/chaos /tmp/chaos-1234
//
// A long run is made of rounds of 5 minutes, each with a new cluster and the next seed. The histories of a round that kept every promise
// are removed.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ackbus/ackbus/internal/chaos"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

const (
	// shown is how many violations of a rule are printed.
	shown = 10
	// round is how long a cluster lives at most: all that it did is judged at once, in memory.
	round = 5 * time.Minute
)

func main() {
	if os.Getenv(chaos.RoleEnv) != "" {
		exit(chaos.Play(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx)
	stop()
	exit(err)
}

func exit(err error) {
	if err == nil {
		os.Exit(0) //nolint:forbidigo // main ends the process
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1) //nolint:forbidigo // likewise
}

// flags are what a run is told.
type flags struct {
	o       chaos.Options
	minutes float64
	raced   bool
}

func command(ctx context.Context) error {
	f := &flags{o: chaos.Options{Out: os.Stdout, Namespaces: true, Chosen: true}}
	flag.Uint64Var(&f.o.Seed, "seed", 0, "what draws the faults and the traffic; 0: a fresh one")
	flag.Float64Var(&f.minutes, "minutes", 1, "how long")
	flag.IntVar(&f.o.Rate, "rate", 0, "calls that each of three publishers begins in a second (default 100)")
	flag.IntVar(&f.o.Calls, "calls", 0, "calls of methods that begin in a second (default 30; negative: none)")
	flag.IntVar(&f.o.Jobs, "jobs", 0, "jobs that are enqueued in a second (default 20; negative: none)")
	flag.StringVar(&f.o.Dir, "dir", "", "where histories and logs go, a directory for each seed (default a temporary one)")
	flag.StringVar(&f.o.Only, "only", "", "do only the faults whose names begin so")
	flag.IntVar(&f.o.Restarts, "restarts", 0, "in place of faults, drain and start each node in turn, this many times")
	flag.BoolVar(&f.raced, "race", false, "build the nodes with the race detector")
	flag.Parse()
	if flag.NArg() > 0 {
		return judgeAgain(flag.Args())
	}
	if f.o.Restarts > 0 {
		f.minutes = round.Minutes() // one round, of any length
	}
	if f.o.Seed == 0 {
		f.o.Seed = rand.Uint64N(1e6) + 1
	}
	bin, err := os.MkdirTemp("", "chaos-bin-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	if f.o.Ackbus, f.o.Actors, err = chaos.BuildWithClocks(ctx, bin, f.raced); err != nil {
		return err
	}
	f.o.Clocks = true
	return f.rounds(ctx)
}

// judgeAgain judges the histories of directories, which together are one run.
func judgeAgain(dirs []string) error {
	all := judge.NewVerdict()
	for _, dir := range dirs {
		v, err := chaos.Judge(dir)
		if err != nil {
			return err
		}
		all.Add(v)
	}
	return report(all)
}

// rounds fills the time. It stops at the first round that broke a promise.
func (f *flags) rounds(ctx context.Context) error {
	left := time.Duration(f.minutes * float64(time.Minute))
	all := judge.NewVerdict()
	for ; left > 0; left -= round {
		o := f.o
		o.Duration = min(left, round)
		if o.Dir != "" {
			o.Dir = filepath.Join(o.Dir, strconv.FormatUint(o.Seed, 10)) // each round's own
		}
		v, dir, err := chaos.Run(ctx, o)
		if err == nil {
			err = report(v)
		}
		if err != nil {
			return fmt.Errorf("%w\n%s", err, f.replay(o, dir))
		}
		if f.o.Dir == "" {
			_ = os.RemoveAll(dir) // what is left of it harms nobody
		}
		all.Add(v)
		f.o.Seed++
	}
	fmt.Fprintln(os.Stdout, "\nall rounds together:")
	all.Print(os.Stdout, shown)
	fmt.Fprintln(os.Stdout, "every promise was kept")
	return nil
}

// replay says how to see a round again.
func (f *flags) replay(o chaos.Options, dir string) string {
	again := fmt.Sprintf("make chaos SEED=%d MINUTES=%v", o.Seed, o.Duration.Minutes())
	if o.Only != "" || o.Rate != 0 || o.Calls != 0 || o.Jobs != 0 || o.Restarts != 0 || f.raced {
		again = fmt.Sprintf("go run ./internal/chaos/cmd/chaos -seed %d -minutes %v -only %q -rate %d -calls %d -jobs %d", o.Seed,
			o.Duration.Minutes(), o.Only, o.Rate, o.Calls, o.Jobs) + fmt.Sprintf(" -restarts %d -race=%v", o.Restarts, f.raced)
	}
	return "replay:      " + again + "\njudge again: go run ./internal/chaos/cmd/chaos " + dir
}

// report prints the verdict, and is an error where something was violated.
func report(v *judge.Verdict) error {
	v.Print(os.Stdout, shown)
	if n := len(v.Violations); n > 0 {
		return fmt.Errorf("%d violations", n)
	}
	return nil
}
