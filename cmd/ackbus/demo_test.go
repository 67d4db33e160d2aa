package main

import (
	"strings"
	"testing"

	"github.com/ackbus/ackbus/bus"
)

// The demonstration shows every outcome that a receipt can have, within its time, without a terminal.
func TestDemo(t *testing.T) {
	got := runCommand(t, "demo")
	if got.code != exitDone || got.err != "" {
		t.Fatalf("%d %s%s", got.code, got.out, got.err)
	}
	for _, o := range bus.Outcomes() {
		if !strings.Contains(got.out, o.String()) {
			t.Errorf("%s is not shown", o)
		}
	}
	for _, word := range []string{"node-1", "node-2", "node-3", "websocket", "tcp", "handler", "Try next"} {
		if !strings.Contains(got.out, word) {
			t.Errorf("%q is not shown", word)
		}
	}
}

func TestDemoJSON(t *testing.T) {
	got := runCommand(t, "demo", "--json")
	type played struct {
		Title    string
		Expected string `json:"expected_outcome"`
		Receipt  receipt
	}
	all := parse[[]played](t, got.out)
	if got.code != exitDone || len(all) < 20 {
		t.Errorf("%d, %d scenes, %s", got.code, len(all), got.err)
	}
	for _, p := range all {
		if p.Receipt.Outcome != p.Expected {
			t.Errorf("%s: %s, expected %s", p.Title, p.Receipt.Outcome, p.Expected)
		}
	}
}

// A receipt that is not what a scene expects fails the demonstration, and says which.
func TestDemoFaults(t *testing.T) {
	s := scene{title: "x", want: bus.OutcomeConfirmed, on: "node-1", count: 1}
	delivery := func(node string) []bus.Delivery { return []bus.Delivery{{Node: node, Outcome: bus.OutcomeConfirmed}} }
	good := &bus.Receipt{Outcome: bus.OutcomeConfirmed, Expected: 1, Deliveries: delivery("node-1")}
	if f := s.fault(good); f != "" {
		t.Errorf("good: %s", f)
	}
	for word, r := range map[string]*bus.Receipt{
		"unknown":   {Outcome: bus.OutcomeUnknown, Expected: 1},
		"endpoints": {Outcome: bus.OutcomeConfirmed, Expected: 2},
		"node-1":    {Outcome: bus.OutcomeConfirmed, Expected: 1, Deliveries: delivery("node-2")},
	} {
		f := s.fault(r)
		if !strings.Contains(f, word) {
			t.Errorf("%s: %q", word, f)
		}
		if err := verdict([]shown{{Title: "x", Fault: f}}); err == nil || !strings.Contains(err.Error(), "x: ") {
			t.Errorf("%s: %v", word, err)
		}
	}
}
