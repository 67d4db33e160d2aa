package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ackbus/ackbus/bench/internal/role"
)

// errUsage says that the arguments are wrong; the flag package has told why.
var errUsage = errors.New("bad arguments")

// The systems, in the order in which they take turns.
const (
	systemFloor   = "floor"
	systemPlain   = "plain"
	systemBus     = "bus"
	systemRPC     = "rpc"
	systemRaw     = "rpc-raw"
	systemNATS    = "nats"
	systemWorker  = "worker"
	systemAsynq   = "asynq"
	systemBullMQ  = "bullmq"
	systemGateway = "gateway"
	systemIdle    = "idle"
)

var systems = []string{systemFloor, systemPlain, systemBus, systemRPC, systemRaw, systemNATS, systemGateway, systemIdle,
	systemWorker, systemAsynq, systemBullMQ}

// peerSystems are of programs that are no part of this one, which are built when one of them is asked for.
var peerSystems = []string{systemNATS, systemAsynq, systemBullMQ}

// ownSystems are the others.
func ownSystems() []string {
	return slices.DeleteFunc(slices.Clone(systems), func(name string) bool { return slices.Contains(peerSystems, name) })
}

// settings are what the flags set.
type settings struct {
	rounds      int
	measured    time.Duration // of one system at one load
	only        []string
	loads       []int // which numbers in flight; empty: all
	users       int   // WebSocket clients, each a user
	sessions    int   // idle ones
	concurrency int   // of the responder's handler
	prefetch    int   // of the worker's pool
	json        bool
	profiles    role.Profiles
}

func parseSettings(args []string, usage io.Writer) (settings, error) {
	s := settings{}
	var seconds float64
	var only, inFlight string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(usage)
	f.IntVar(&s.rounds, "rounds", 5, "how often the systems take turns")
	f.Float64Var(&seconds, "seconds", 2, "how long each system is measured at each load in a round")
	f.StringVar(&only, "only", strings.Join(ownSystems(), ","),
		"which systems, separated by commas; "+strings.Join(peerSystems, ",")+" are built first, from bench/peers")
	f.StringVar(&inFlight, "in-flight", "", "which loads, separated by commas; empty: all")
	f.IntVar(&s.users, "users", 100, "WebSocket clients of gateway")
	f.IntVar(&s.sessions, "sessions", 10_000, "WebSocket sessions of idle; fewer where the limit of open files asks for it")
	f.IntVar(&s.concurrency, "concurrency", 1, "how many calls of the bus's handler run at once")
	f.IntVar(&s.prefetch, "prefetch", 0, "how many jobs the worker's pool takes beyond those that it runs")
	f.BoolVar(&s.json, "json", false, "print JSON instead of tables")
	f.StringVar(&s.profiles.CPU, "cpuprofile", "", "write CPU profiles, one a process, to `FILE`.<process>")
	f.StringVar(&s.profiles.Allocations, "memprofile", "", "write profiles of every allocation, one a process, to `FILE`.<process>")
	f.StringVar(&s.profiles.Mutex, "mutexprofile", "", "write profiles of lock contention, one a process, to `FILE`.<process>")
	if err := f.Parse(args); err != nil {
		return s, errors.Join(errUsage, err)
	}
	if err := s.parseLoads(inFlight); err != nil {
		fmt.Fprintln(usage, "bench:", err)
		return s, errors.Join(errUsage, err)
	}
	s.only, s.measured = strings.Split(only, ","), time.Duration(seconds*float64(time.Second))
	if err := s.check(f.Args()); err != nil {
		fmt.Fprintln(usage, "bench:", err)
		return s, errors.Join(errUsage, err)
	}
	return s, nil
}

func (s *settings) check(rest []string) error {
	for _, name := range s.only {
		if !slices.Contains(systems, name) {
			return fmt.Errorf("--only names %q: want some of %s", name, strings.Join(systems, ","))
		}
	}
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is no flag", rest[0])
	case s.rounds < 1 || s.users < 1 || s.sessions < 1 || s.concurrency < 1 || s.prefetch < 0:
		return errors.New("--rounds, --users, --sessions and --concurrency want a number of at least 1, --prefetch of at least 0")
	case s.measured < 50*time.Millisecond || s.measured > time.Minute:
		return errors.New("--seconds wants 0.05 to 60")
	}
	return nil
}

func (s *settings) parseLoads(text string) error {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(word)
		if err != nil || !slices.Contains(loads, n) {
			return fmt.Errorf("--in-flight names %q: want some of %v", word, loads)
		}
		s.loads = append(s.loads, n)
	}
	return nil
}

// wants reports whether a system is measured at a load.
func (s *settings) wants(system string, inFlight int) bool {
	return s.has(system) && slices.Contains(loadsOf[system], inFlight) && (len(s.loads) == 0 || slices.Contains(s.loads, inFlight))
}

func (s *settings) has(system string) bool { return slices.Contains(s.only, system) }

// warmup is how long a load runs before it is measured.
func (s *settings) warmup() time.Duration { return min(s.measured/4, time.Second) }

// settle is how long memory may take to settle before it is measured, twice over.
func (s *settings) settle() time.Duration { return min(s.measured, time.Second) }

// longest bounds the whole run: every load in every round, and what starting, ending and a slow machine take.
func (s *settings) longest() time.Duration {
	loads := 0
	for _, n := range loadsOf {
		loads += len(n)
	}
	loads += 4 * len(jobSystems) // what one enqueues in a turn may take long to drain
	return time.Duration(s.rounds*loads)*2*(s.measured+s.warmup()) + 5*time.Minute
}
