package judge_test

import (
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

// chosen makes a request of an everyday kind, and returns the one that repeats it later.
func (y *story) chosen() (again *history.Call) {
	y.confirmed(10*s, 3, "user:ok-1", "ok-1", "s1")
	for _, e := range y.events {
		if e.Call != nil && e.Call.Number == 3 {
			e.Call.ID = "id-3"
		}
	}
	again = y.ask(11*s, 4, "user:ok-1")
	again.ID, again.First = "id-3", 3
	return again
}

// endChosen ends the repetition.
func (y *story) endChosen(outcome string, d history.Delivery) {
	y.end(11*s+10*ms, 4, "user:ok-1", outcome, d).Receipt.ID = "id-3"
}

var tellingOfJoining = []telling{
	{"again with the same ID", func(y *story) {
		y.chosen()
		y.endChosen("confirmed", delivery(3, "s1", "gw-1", "confirmed"))
	}, nil},
	{"again with the same ID, and another ID comes back", func(y *story) {
		y.chosen()
		y.end(11*s+10*ms, 4, "user:ok-1", "confirmed", delivery(3, "s1", "gw-1", "confirmed"))
	}, breaks(judge.Identity)},
	{"again with the same ID, and another reply", func(y *story) {
		y.chosen()
		y.endChosen("confirmed", delivery(4, "s1", "gw-1", "confirmed"))
	}, breaks(judge.Confirmed)},
	{"again with the same ID, and another outcome", func(y *story) {
		y.chosen()
		y.endChosen("unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, breaks(judge.Calm, judge.Joined)},
	{"again with the same ID, and delivered again", func(y *story) {
		y.chosen()
		again := y.seen(11*s+5*ms, 3, "user:ok-1", "ok-1", "s1")
		again.Redelivered, again.Handled = true, false
		y.endChosen("confirmed", delivery(3, "s1", "gw-1", "confirmed"))
	}, breaks(judge.Once, judge.Joined)},
	{"again with the same ID, after the node had died", func(y *story) {
		y.chosen()
		y.fault(1, 10*s+500*ms, 10*s+900*ms, history.Kills, "gw-1")
		y.welcome(10*s+600*ms, "ok-1", history.Prompt, "s3", "gw-2")
		again := y.seen(11*s+5*ms, 3, "user:ok-1", "ok-1", "s3")
		again.Redelivered, again.Handled = true, false
		y.answered(11*s+6*ms, 3, "user:ok-1", "ok-1", "s3", history.Ack)
		y.endChosen("confirmed", delivery(3, "s3", "gw-2", "confirmed"))
	}, nil},
	{"again with the same ID, after it had failed", func(y *story) {
		y.fault(1, 8*s, 9*s, "", "redis")
		first := y.ask(10*s, 3, "user:ok-1")
		first.ID = "id-3"
		y.seen(10*s+1*ms, 3, "user:ok-1", "ok-1", "s1")
		y.end(10*s+500*ms, 3, "user:ok-1", "unconfirmed", delivery(3, "s1", "gw-1", "unconfirmed"))
		again := y.ask(11*s, 4, "user:ok-1")
		again.ID, again.First = "id-3", 3
		m := y.seen(11*s+5*ms, 3, "user:ok-1", "ok-1", "s1")
		m.Redelivered, m.Handled = true, false
		y.answered(11*s+6*ms, 3, "user:ok-1", "ok-1", "s1", history.Ack)
		y.endChosen("confirmed", delivery(3, "s1", "gw-1", "confirmed"))
	}, nil},
}
