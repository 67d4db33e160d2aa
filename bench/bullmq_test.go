package main

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

// Where there is no Node.js, BullMQ is left out, and the benchmark says so.
func TestBullMQIsLeftOutWithoutNode(t *testing.T) {
	leak.Check(t)
	t.Setenv(redistest.BinaryEnv, serverOnPath(t))
	t.Setenv("PATH", t.TempDir())
	var said bytes.Buffer
	s, err := parseSettings([]string{"--only", "bullmq", "--rounds", "1", "--seconds", "0.1"}, &said)
	if err != nil {
		t.Fatal(err)
	}
	r, err := measure(t.Context(), s, &said)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "bullmq is left out") || len(r.Jobs) != 0 || len(r.Figures) != 0 {
		t.Errorf("%+v, said %q", r, said.String())
	}
}

// serverOnPath is the path of the redis-server that tests start.
func serverOnPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("the redis-server is not on the path, and the test takes the path away")
	}
	return path
}

func TestFiguresBesideBullMQ(t *testing.T) {
	turn := func(rate int64, memory float64) []jobTurn {
		at := step{Sample: role.Sample{Requests: rate, Elapsed: time.Second}, Cost: float64(1_000_000 / rate)}
		return []jobTurn{{Enqueue: at, Drain: at, Memory: memory}}
	}
	r := report{Jobs: []*jobResult{{System: systemWorker, Rounds: turn(100, 5)}, {System: systemBullMQ, Rounds: turn(20, 10)}}}
	r.figureJobs()
	at := slices.IndexFunc(r.Figures, func(f figure) bool { return f.Name == "jobs drained, worker : bullmq" })
	if at < 0 || r.Figures[at].Median != 5 || r.Figures[at].Target != targetDrainBullMQ || r.Figures[at].Verdict != verdictMet {
		t.Fatalf("%+v", r.Figures)
	}
	if held := r.Figures[at+1]; held.Median != 0.5 || held.Target != 0 || held.Verdict != "" {
		t.Errorf("%+v; want half the memory, and no verdict", held)
	}
}
