package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

// programEnv makes the test binary the program itself, so that a replier is a process of its own with the race detector in it.
const programEnv = "SUM_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
		return
	}
	leak.Main(m)
}

var (
	answered = regexp.MustCompile(`^request +(\d+): (\d+) \+ (-?\d+) = (-?\d+)  from (north|south|west), after (\d+) ms$`)
	silent   = regexp.MustCompile(`^request +(\d+): \d+ \+ -?\d+: rpc: unknown: node west fell silent: the call may have run$`)
)

// A played is what a show said.
type played struct {
	order   []int          // the requests as their answers came
	by      map[string]int // how many each replier answered
	late    map[string]int // of these, after west was killed
	unknown int
}

// play shows it with real processes on a real Redis, and holds every line against the request that it belongs to.
func play(t *testing.T, c config) played {
	t.Helper()
	leak.Check(t)
	t.Setenv(programEnv, "1") // of the repliers
	c.redis, c.requests, c.atOnce, c.killAt = redistest.Start(t).URL(), 100, 40, 25
	var out bytes.Buffer
	if err := run(t.Context(), c, nil, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	p := played{by: make(map[string]int), late: make(map[string]int)}
	killed := false
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		switch m := answered.FindStringSubmatch(line); {
		case m != nil:
			p.answer(t, m)
			if killed {
				p.late[m[5]]++
			}
		case silent.MatchString(line):
			p.order = append(p.order, number(t, silent.FindStringSubmatch(line)[1]))
			p.unknown++
		case line == "----------- west was killed":
			killed = true
		}
	}
	if !killed || t.Failed() {
		t.Errorf("west was killed: %v\n%s", killed, &out)
	}
	return p
}

func (p *played) answer(t *testing.T, m []string) {
	t.Helper()
	request, a, b, sum := number(t, m[1]), number(t, m[2]), number(t, m[3]), number(t, m[4])
	if a != request || b != 1000-7*request || sum != a+b {
		t.Errorf("not what was asked for: %s", m[0])
	}
	p.order = append(p.order, request)
	p.by[m[5]]++
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// check holds the order of the answers, and that each request has one.
func (p *played) check(t *testing.T) {
	t.Helper()
	seen := make(map[int]bool)
	overtaken := 0
	for i, request := range p.order {
		if seen[request] {
			t.Errorf("request %d has two answers", request)
		}
		seen[request] = true
		if i > 0 && request < p.order[i-1] {
			overtaken++
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 requests have an answer", len(seen))
	}
	if overtaken < 10 {
		t.Errorf("%d answers came out of order", overtaken)
	}
	if p.by["north"] < 20 || p.by["south"] < 20 {
		t.Errorf("the work is not shared: %v", p.by)
	}
}

// A sum is the same again: what the killed replier had goes to the others, and all are answered.
func TestAllAreAnswered(t *testing.T) {
	p := play(t, config{delay: 200 * time.Millisecond})
	p.check(t)
	if p.unknown > 0 || p.by["north"]+p.by["south"]+p.by["west"] != 100 {
		t.Errorf("%d unknown, answered %v", p.unknown, p.by)
	}
}

// Where the method must not run twice, what the killed replier had is unknown, and nothing else fails.
func TestOnce(t *testing.T) {
	p := play(t, config{delay: 200 * time.Millisecond, once: true})
	p.check(t)
	if p.unknown == 0 || p.unknown > 40 {
		t.Errorf("%d are unknown, want those that were under way at one of three", p.unknown)
	}
	if p.late["west"] > 40 { // what it had said before may arrive after
		t.Errorf("west answered %d when it was dead", p.late["west"])
	}
}

// The one command, as the README has it.
func TestCommand(t *testing.T) {
	leak.Check(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-delay", "100ms")
	cmd.Env = append(os.Environ(), programEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "100 requests: 100 right answers") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestReplierWantsRedis(t *testing.T) {
	if err := run(t.Context(), config{reply: "east"}, nil, nil); err == nil || !strings.Contains(err.Error(), "-redis") {
		t.Errorf("%v", err)
	}
}
