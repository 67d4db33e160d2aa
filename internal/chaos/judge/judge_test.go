package judge_test

import (
	"strings"
	"testing"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

func TestEveryday(t *testing.T) {
	v := everyday().judged(t)
	if v.Requests != 2 || v.Seen != 2 || v.Outcomes["confirmed"] != 2 {
		t.Errorf("%+v", v)
	}
	for _, r := range []judge.Rule{judge.OneOutcome, judge.TrueReceipt, judge.Confirmed, judge.Identity, judge.Once, judge.Order,
		judge.Calm, judge.Arrived, judge.Marked, judge.Late, judge.Left, judge.Process} {
		if v.Examined[r] == 0 {
			t.Errorf("nothing was examined for %s", r)
		}
	}
	var text strings.Builder
	v.Print(&text, 1)
	if !strings.Contains(text.String(), "outcomes: confirmed 2") || !strings.Contains(text.String(), "HAD NOTHING TO LOOK AT") {
		t.Error(text.String())
	}
}

// Each case adds to an everyday run what breaks one rule, or what only looks as if it did.
func TestRules(t *testing.T) {
	for _, group := range [][]telling{tellingOfCalls, tellingOfReceipts, tellingOfSights, tellingOfReach, tellingOfCalm, tellingOfJoining,
		tellingOfMethods, tellingOfJobs, tellingOfRest} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				y := everyday()
				c.tell(y)
				y.judged(t, c.breaks...)
			})
		}
	}
}

// A telling is what happens beside the everyday, from 10 s on, and what that breaks.
type telling struct {
	name   string
	tell   func(y *story)
	breaks []judge.Rule
}

func breaks(rules ...judge.Rule) []judge.Rule { return rules }

var tellingOfCalls = []telling{
	{"never ends", func(y *story) { y.ask(10*s, 3, "user:ok-1") }, breaks(judge.OneOutcome)},
	{"never ends, its publisher was killed", func(y *story) {
		y.ask(10*s, 3, "user:ok-1")
		y.fault(1, 11*s, 12*s, history.Kills, "bus-1")
	}, nil},
	{"never ends, its publisher was killed long after", func(y *story) {
		y.ask(10*s, 3, "user:ok-1")
		y.fault(1, 12*s+71*ms, 13*s, history.Kills, "bus-1")
	}, breaks(judge.OneOutcome)},
	{"ends twice", func(y *story) {
		y.confirmed(10*s, 3, "user:ok-1", "ok-1", "s1")
		y.end(11*s, 3, "user:ok-1", "confirmed", delivery(3, "s1", "gw-1", "confirmed"))
	}, breaks(judge.OneOutcome)},
	{"ends 51 ms late", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s+51*ms, 3, "user:ok-1", "unknown", delivery(3, "", "", "unknown"))
	}, breaks(judge.OneOutcome)},
	{"ends 51 ms late after a stall", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.stalled("bus-1", 12*s, 12*s+10*ms)
		y.end(12*s+51*ms, 3, "user:ok-1", "unknown", delivery(3, "", "", "unknown"))
	}, nil},
	{"ends 51 ms late after a stall before its deadline", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.stalled("bus-1", 11*s, 11*s+10*ms)
		y.end(12*s+51*ms, 3, "user:ok-1", "unknown", delivery(3, "", "", "unknown"))
	}, breaks(judge.OneOutcome)},
	{"an answer by HTTP is late", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1").Entry = "gw-1"
		y.end(12*s+71*ms, 3, "user:ok-1", "unknown", delivery(3, "", "", "unknown"))
	}, breaks(judge.OneOutcome)},
	{"an answer by HTTP is late, the node stood still", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1").Entry = "gw-1"
		y.stalled("gw-1", 10*s, 10*s+100*ms)
		y.end(12*s+71*ms, 3, "user:ok-1", "unknown", delivery(3, "", "", "unknown"))
	}, nil},
	{"an answer by HTTP is late, the node stood still in the middle", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1").Entry = "gw-1"
		y.stalled("gw-1", 11*s, 11*s+100*ms)
		y.end(12*s+71*ms, 3, "user:ok-1", "unknown", delivery(3, "", "", "unknown"))
	}, breaks(judge.OneOutcome)},
	{"an answer by HTTP is late, the cable was unplugged", func(y *story) {
		y.fault(1, 9*s, 12*s, "", "gw-1", "answers")
		y.ask(10*s, 3, "user:ok-1").Entry = "gw-1"
		y.end(13*s, 3, "user:ok-1", "unknown", delivery(3, "", "", "unknown"))
	}, nil},
	{"refused for nothing", func(y *story) {
		y.ask(10*s, 3, "user:ok-1")
		y.fails(11*s, 3, history.Unavailable)
	}, breaks(judge.Refusals)},
	{"refused without Redis", func(y *story) {
		y.fault(1, 9*s, 10*s, "", "redis")
		y.ask(10*s, 3, "user:ok-1")
		y.fails(11*s, 3, history.Unavailable)
	}, nil},
	{"refused without Redis, after it had waited too long", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "redis")
		y.ask(10*s, 3, "user:ok-1").Deadline = int64(15 * s)
		y.fails(12*s+51*ms, 3, history.Unavailable)
	}, breaks(judge.Refusals)},
	{"refused while Redis stood still", func(y *story) {
		y.stalled("redis", 10*s+100*ms, 10*s+400*ms)
		y.ask(10*s, 3, "user:ok-1")
		y.fails(11*s, 3, history.Unavailable)
	}, nil},
	{"another failure", func(y *story) {
		y.fault(1, 9*s, 10*s, "", "redis")
		y.ask(10*s, 3, "user:ok-1")
		y.fails(11*s, 3, "500: internal")
	}, breaks(judge.Refusals)},
	{"no answer from a node that lives", func(y *story) {
		y.ask(10*s, 3, "user:ok-1").Entry = "gw-1"
		y.fails(11*s, 3, history.Broken)
	}, breaks(judge.Refusals)},
	{"no answer from a node that was killed", func(y *story) {
		y.ask(10*s, 3, "user:ok-1").Entry = "gw-1"
		y.fault(1, 10*s+500*ms, 12*s, history.Kills, "gw-1")
		y.fails(11*s, 3, history.Broken)
	}, nil},
	{"no answer from a node that drained after it was asked", func(y *story) {
		y.ask(10*s, 3, "user:ok-1").Entry = "gw-1"
		y.fault(1, 10*s+500*ms, 12*s, history.Drains, "gw-1")
		y.fails(11*s, 3, history.Broken)
	}, breaks(judge.Refusals)},
	{"no answer from a node that had begun to drain", func(y *story) {
		y.ask(10*s, 3, "user:ok-1").Entry = "gw-1"
		y.fault(1, 10*s+15*ms, 12*s, history.Drains, "gw-1")
		y.fails(11*s, 3, history.Broken)
	}, nil},
	{"no answer from a node that drained, and had no time for it", func(y *story) {
		y.ask(10*s, 3, "user:ok-1").Entry = "gw-1"
		y.events[len(y.events)-1].Call.Deadline = int64(19 * s)
		y.fault(1, 10*s+500*ms, 19*s, history.Drains, "gw-1")
		y.fails(18*s+600*ms, 3, history.Broken)
	}, nil},
	{"an end of nothing", func(y *story) { y.end(10*s, 99, "user:ok-1", "no_receiver") }, breaks(judge.Identity)},
}

var tellingOfRest = []telling{
	{"goroutines are left", func(y *story) {
		y.gauge(91*s, "end", "gw-1", map[string]float64{"goroutines": 60, "descriptors": 20})
	}, breaks(judge.Left)},
	{"a request is left", func(y *story) {
		y.gauge(91*s, "end", "gw-1", map[string]float64{"goroutines": 50, "descriptors": 20, "requests_pending": 1})
	}, breaks(judge.Left)},
	{"a channel is left", func(y *story) {
		y.gauge(1*s, "start", "redis", map[string]float64{"channels": 20})
		y.gauge(91*s, "end", "redis", map[string]float64{"channels": 21})
	}, breaks(judge.Left)},
	{"no measure at the end", func(y *story) {
		y.gauge(1*s, "start", "gw-2", map[string]float64{"goroutines": 50})
	}, breaks(judge.Left)},
	{"a process ends by itself", func(y *story) {
		y.add(50*s, history.Event{Kind: history.Left, Actor: "gw-2", Text: "exit status 2"})
	}, breaks(judge.Process)},
}
