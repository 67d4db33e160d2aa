// Command checker judges what a run of jobs left behind: the event files of the processes that took part, and the append-only file of
// their redis-server. It ends with 1 if a promise was broken, and with 2 if it could not judge.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ackbus/ackbus/acceptance/internal/ledger"
)

func main() {
	os.Exit(check(os.Args[1:], os.Stdout, os.Stderr)) //nolint:forbidigo // main ends the process
}

func check(args []string, out, errs io.Writer) int {
	f := flag.NewFlagSet("checker", flag.ContinueOnError)
	f.SetOutput(errs)
	events := f.String("events", "", "the `DIR` of the event files")
	aof := f.String("aof", "", "the `DIR` of the append-only file")
	schedule := f.String("schedule", "", "judge the ticks of the schedule of this `NAME` instead")
	every := f.Duration("every", time.Second, "how far apart they are")
	if f.Parse(args) != nil {
		return 2
	}
	redis, err := ledger.ReadAOF(*aof)
	if err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	var v *ledger.Verdict
	if *schedule != "" {
		var ticks int
		ticks, v = ledger.JudgeTicks(redis, *schedule, *every)
		fmt.Fprintf(out, "%d ticks\n", ticks)
	} else {
		all, err := ledger.Read(*events)
		if err != nil {
			fmt.Fprintln(errs, err)
			return 2
		}
		v = ledger.Judge(all, redis)
	}
	fmt.Fprintln(out, v)
	if len(v.Breaches) > 0 {
		return 1
	}
	return 0
}
