package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// The benchmark itself builds this module, has it play every role, and none of what they do fails.
func TestTheBenchmarkMeasuresEveryPeer(t *testing.T) {
	systems := "nats,asynq"
	if _, err := exec.LookPath("npm"); err == nil {
		systems += ",bullmq"
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./bench", "--only", systems, "--rounds", "1", "--seconds", "0.1", "--json")
	cmd.Dir = "../.."
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.Bytes())
	}
	type sample struct {
		Requests, Failures, Jobs int64
		Failure                  string
	}
	var report struct {
		Results []struct {
			System   string
			InFlight int `json:"in_flight"`
			Rounds   []sample
		}
		Jobs []struct {
			System string
			Rounds []struct {
				Enqueue, Drain, Idle sample
				Memory               float64 `json:"redis_bytes"`
			}
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(report.Results) != 3 || len(report.Jobs) != strings.Count(systems, ",") {
		t.Fatalf("want nats at three loads, and the others:\n%s", out)
	}
	for _, res := range report.Results {
		if res.System != "nats" || len(res.Rounds) != 1 || res.Rounds[0].Requests == 0 || res.Rounds[0].Failures > 0 {
			t.Errorf("%+v: want requests and no failure", res)
		}
	}
	for _, res := range report.Jobs {
		if len(res.Rounds) != 1 {
			t.Fatalf("%+v: want one round", res)
		}
		turn := res.Rounds[0]
		if turn.Enqueue.Jobs == 0 || turn.Enqueue.Failures > 0 || turn.Drain.Requests != turn.Enqueue.Jobs ||
			turn.Idle.Requests == 0 || turn.Memory <= 0 {
			t.Errorf("%s: %+v: want every job that was enqueued drained", res.System, turn)
		}
	}
}
