package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/internal/leak"
)

// TestMain lets the test binary be the benchmark's processes too, for they are started as the program that runs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == role.Argument {
		os.Exit(exitCode(role.Run(os.Args[2:], roles)))
	}
	leak.Main(m)
}

func shortRun(t *testing.T, args ...string) *report {
	t.Helper()
	t.Setenv("GORACE", "atexit_sleep_ms=0") // a dozen processes would each pause for a second before they end
	s, err := parseSettings(append([]string{"--rounds", "1", "--seconds", "0.1"}, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r, err := measure(t.Context(), s, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// One short round of everything: each system answers at each load, none fails, and both forms of the report say so.
func TestEverySystemAtEveryLoad(t *testing.T) {
	leak.Check(t)
	r := shortRun(t, "--sessions", "50", "--users", "10")
	for system, inFlight := range loadsOf {
		if slices.Contains(peerSystems, system) {
			continue // bench/peers tests them
		}
		for _, n := range inFlight {
			res := r.find(system, n)
			if res == nil || len(res.Rounds) != 1 {
				t.Errorf("%s at %d in flight was not measured once: %+v", system, n, res)
				continue
			}
			one := res.Rounds[0]
			if failed, first := res.failures(); failed > 0 || one.Requests == 0 || one.P50 <= 0 || one.P99 < one.P50 || one.Most < one.P99 {
				t.Errorf("%s at %d in flight: %d failed (%s), %+v", system, n, failed, first, one)
			}
		}
	}
	if r.Idle == nil || r.Idle.Sessions != 50 || r.Idle.Goroutines < 0.9 || r.Idle.Goroutines > 2 {
		t.Errorf("idle sessions: %+v, want 50 with one goroutine each, two at most", r.Idle)
	}
	checkJobs(t, r)
	if len(r.Figures) != 13 {
		t.Errorf("%d figures, want one for each of the ten targets that need no peer, two costs, batches: %+v", len(r.Figures), r.Figures)
	}
	if r.Machine.Cores < 1 || !strings.HasPrefix(r.Machine.Go, "go") || !strings.Contains(r.Machine.Redis, ".") {
		t.Errorf("the machine is not described: %+v", r.Machine)
	}
	checkForms(t, r)
}

func checkJobs(t *testing.T, r *report) {
	t.Helper()
	res := r.jobsOf(systemWorker)
	if res == nil || len(res.Rounds) != 1 {
		t.Fatalf("worker was not measured once: %+v", res)
	}
	one := res.Rounds[0]
	failures := one.Enqueue.Failures + one.Batch.Failures + one.Call.Failures
	if one.Enqueue.Jobs == 0 || one.Batch.Jobs == 0 || one.Drain.Requests != one.Enqueue.Jobs+one.Batch.Jobs ||
		one.Idle.Requests == 0 || one.Call.Requests == 0 || one.Memory <= 0 || failures > 0 {
		t.Errorf("jobs: %+v, want all that were enqueued drained, some to an idle pool, some with results, and no failures", one)
	}
}

func checkForms(t *testing.T, r *report) {
	t.Helper()
	var asJSON, asTables bytes.Buffer
	if err := errors.Join(r.writeJSON(&asJSON), r.writeTables(&asTables)); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(asJSON.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Results) != len(r.Results) || !slices.Equal(back.Figures, r.Figures) || back.Machine != r.Machine {
		t.Errorf("the JSON holds something else than the report:\n%s", asJSON.Bytes())
	}
	for _, f := range r.Figures {
		if !strings.Contains(asTables.String(), f.Name) {
			t.Errorf("the tables lack %q:\n%s", f.Name, asTables.String())
		}
	}
}

func TestProfilesOfEachProcess(t *testing.T) {
	leak.Check(t)
	dir := t.TempDir()
	shortRun(t, "--only", "bus", "--in-flight", "64",
		"--cpuprofile", dir+"/cpu", "--memprofile", dir+"/mem", "--mutexprofile", dir+"/mutex")
	for _, kind := range []string{"cpu", "mem", "mutex"} {
		for _, process := range []string{"bus-requester", "bus-responder"} {
			if file, err := os.Stat(dir + "/" + kind + "." + process); err != nil || file.Size() == 0 {
				t.Errorf("the %s profile of %s: %v, %v", kind, process, file, err)
			}
		}
	}
}

func TestFiguresCompareWithinRounds(t *testing.T) {
	turns := func(counts ...int64) (all []turn) {
		for _, n := range counts {
			all = append(all, turn{Sample: role.Sample{Requests: n, Elapsed: time.Second, P50: time.Duration(n)}})
		}
		return all
	}
	r := report{Idle: &idleSessions{Resident: targetIdle + 1}, Results: []*result{
		{System: systemFloor, InFlight: 1, Rounds: turns(100, 50, 10)},
		{System: systemBus, InFlight: 1, Rounds: turns(110, 70, 30)},
		{System: systemPlain, InFlight: 64, Rounds: turns(10, 20, 0)}, // a round in which nothing went through compares with nothing
		{System: systemBus, InFlight: 64, Rounds: turns(40, 100, 500)},
	}}
	r.Results[2].Rounds[0].CPUs = map[string]float64{"plain-requester": 5, "redis": 3}
	r.Results[3].Rounds[0].CPUs = map[string]float64{"bus-requester": 3, "redis": 1}
	r.figure()
	want := []figure{
		{Name: r.Figures[0].Name, Unit: "×", spread: spread{1.1, 1.4, 3}, Target: targetLatency, AtMost: true, Verdict: verdictMet},
		{Name: r.Figures[1].Name, Unit: "×", spread: spread{4, 4.5, 5}, Target: targetRate64, Verdict: verdictNotMet},
		{Name: r.Figures[2].Name, Unit: "×", spread: spread{2, 2, 2}}, // a cost, of the one round that tells it
		{Name: r.Figures[3].Name, Unit: "B", spread: spread{12_001, 12_001, 12_001}, Target: targetIdle, AtMost: true,
			Verdict: verdictNotMet},
	}
	if !slices.Equal(r.Figures, want) {
		t.Errorf("figures\n%+v, want\n%+v", r.Figures, want)
	}
}

func TestFiguresOfJobs(t *testing.T) {
	turnOf := func(enqueued, drained int64, cost, memory float64) jobTurn {
		at := func(n int64) step { return step{Sample: role.Sample{Requests: n, Elapsed: time.Second}, Cost: cost} }
		return jobTurn{Enqueue: at(enqueued), Drain: at(drained), Memory: memory,
			Idle: step{Sample: role.Sample{P50: 400 * time.Microsecond, P99: 3 * time.Millisecond}}}
	}
	r := report{Jobs: []*jobResult{
		{System: systemWorker, Rounds: []jobTurn{turnOf(targetEnqueue, 50_000, 5, 300), turnOf(targetEnqueue+2, 70_000, 10, 200)}},
		{System: systemAsynq, Rounds: []jobTurn{turnOf(10, 10_000, 20, 200), turnOf(0, 10_000, 20, 200)}},
	}}
	r.figureJobs()
	want := []figure{
		{Unit: "/s", spread: spread{targetEnqueue, targetEnqueue + 1, targetEnqueue + 2}, Target: targetEnqueue, Verdict: verdictMet},
		{Unit: "/s", spread: spread{50_000, 60_000, 70_000}, Target: targetDrain, Verdict: verdictMet},
		{Unit: "µs", spread: spread{400, 400, 400}, Target: targetStart50, AtMost: true, Verdict: verdictMet},
		{Unit: "µs", spread: spread{3_000, 3_000, 3_000}, Target: targetStart99, AtMost: true, Verdict: verdictNotMet},
		{Unit: "×", spread: spread{15_000, 15_000, 15_000}}, // a round in which nothing was enqueued compares with nothing
		{Unit: "×", spread: spread{5, 6, 7}, Target: targetDrainAsynq, Verdict: verdictMet},
		{Unit: "×", spread: spread{1, 1.25, 1.5}, Target: targetMemory, AtMost: true, Verdict: verdictNotMet},
		{Unit: "×", spread: spread{2, 3, 4}},
		{Unit: "×", spread: spread{2, 3, 4}},
	}
	for i := range min(len(want), len(r.Figures)) {
		want[i].Name = r.Figures[i].Name
	}
	if !slices.Equal(r.Figures, want) {
		t.Errorf("figures\n%+v, want\n%+v", r.Figures, want)
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{
		{"--only", "floor,nothing"}, {"--rounds", "0"}, {"--seconds", "0.001"}, {"--seconds", "1000"}, {"--in-flight", "3"},
		{"--in-flight", "many"}, {"--unknown"}, {"rest"}, {"--users", "0"}, {"--prefetch", "-1"},
	} {
		var said bytes.Buffer
		if _, err := parseSettings(args, &said); !errors.Is(err, errUsage) || said.Len() == 0 {
			t.Errorf("%q: %v, said %q; want a usage error and its reason", args, err, said.String())
		}
	}
	if _, err := parseSettings([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v, want flag.ErrHelp", err)
	}
	s, err := parseSettings([]string{"--only", "bus", "--in-flight", "1,64"}, io.Discard)
	if err != nil || !s.wants(systemBus, 64) || s.wants(systemBus, 1024) || s.wants(systemFloor, 1) {
		t.Errorf("settings %+v, %v: want bus at 1 and 64 alone", s, err)
	}
	if s, err := parseSettings(nil, io.Discard); err != nil || !s.has(systemRPC) || s.has(systemNATS) || s.has(systemAsynq) {
		t.Errorf("settings %+v, %v: want all systems but the peers, which have to be built", s, err)
	}
}

func TestWholeGroupsThousands(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999.4: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567"} {
		if got := whole(v); got != want {
			t.Errorf("whole(%v) = %q, want %q", v, got, want)
		}
	}
}
