package judge_test

import (
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

var tellingOfReach = []telling{
	{"no receiver, and he was there", func(y *story) {
		y.ask(10*s, 3, "user:ok-1")
		y.end(10*s+20*ms, 3, "user:ok-1", "no_receiver")
	}, breaks(judge.NoReceiver, judge.Calm, judge.Arrived)},
	{"no receiver, he was there, and Redis was in trouble", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "redis")
		y.ask(10*s, 3, "user:ok-1")
		y.end(10*s+20*ms, 3, "user:ok-1", "no_receiver")
	}, breaks(judge.NoReceiver)},
	{"no receiver, his own node was in trouble", func(y *story) {
		y.fault(1, 9*s, 13*s, history.Silences, "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(10*s+20*ms, 3, "user:ok-1", "no_receiver")
	}, nil},
	{"no receiver, his own node had a bad link", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(10*s+20*ms, 3, "user:ok-1", "no_receiver")
	}, breaks(judge.NoReceiver)},
	{"no receiver, his own node was cut off for long enough", func(y *story) {
		y.fault(1, 9*s, 12*s, history.Hides, "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s, 3, "user:ok-1", "no_receiver")
	}, nil},
	{"no receiver, and his node's clock had jumped", func(y *story) {
		y.fault(1, 9*s, 13*s, history.Shifts, "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(10*s+20*ms, 3, "user:ok-1", "no_receiver")
	}, breaks(judge.NoReceiver, judge.Calm, judge.Arrived)},
	{"no receiver, his own link was bad", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1", "clients")
		y.ask(10*s, 3, "user:ok-1")
		y.end(10*s+20*ms, 3, "user:ok-1", "no_receiver")
	}, nil},
	{"no receiver, his own node did not run", func(y *story) {
		y.stalled("gw-1", 8*s, 9*s)
		y.ask(10*s, 3, "user:ok-1")
		y.end(10*s+20*ms, 3, "user:ok-1", "no_receiver")
	}, nil},
	{"no receiver, he came in between", func(y *story) {
		y.welcome(10*s+10*ms, "ok-3", history.Prompt, "s3", "gw-1")
		y.ask(10*s, 3, "user:ok-3")
		y.end(10*s+20*ms, 3, "user:ok-3", "no_receiver")
	}, nil},
	{"no receiver for nobody", func(y *story) {
		y.ask(10*s, 3, "user:nobody-1")
		y.end(10*s+20*ms, 3, "user:nobody-1", "no_receiver")
	}, nil},
	{"unknown for nobody, and nothing was wrong", func(y *story) {
		y.ask(10*s, 3, "user:nobody-1")
		y.end(12*s+20*ms, 3, "user:nobody-1", "unknown", delivery(3, "", "", "unknown"))
	}, breaks(judge.Calm)},
	{"unknown, and nothing was wrong", func(y *story) {
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s+20*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, breaks(judge.Calm, judge.Arrived)},
	{"unknown, soon after a fault", func(y *story) {
		y.fault(1, 6*s, 8*s, "", "redis")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s+20*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, nil},
	{"unknown, long after a fault", func(y *story) {
		y.fault(1, 6*s, 6900*ms, "", "redis")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s+20*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, breaks(judge.Calm, judge.Arrived)},
	{"unknown, while another node drained", func(y *story) {
		y.fault(1, 9*s, 11*s, history.Drains, "gw-2")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s+20*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, breaks(judge.Calm, judge.Arrived)},
	{"unknown, while his node drained", func(y *story) {
		y.fault(1, 9*s, 11*s, history.Drains, "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s+20*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, nil},
	{"unknown, while the node that was asked drained", func(y *story) {
		y.fault(1, 9*s, 11*s, history.Drains, "gw-2")
		c := y.ask(10*s, 3, "user:ok-1")
		c.From, c.Entry = "gw-2", "gw-2"
		y.end(12*s+20*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, nil},
	{"unknown, after a process stood still for long", func(y *story) {
		y.stalled("gw-2", 8*s, 9*s)
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s+20*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, nil},
	{"unknown, when the machine had no time", func(y *story) {
		for i := range 20 {
			at := 10*s + time.Duration(i)*100*ms
			y.stalled("gw-2", at, at+30*ms)
		}
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s+20*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, nil},
	{"unknown long after a death", func(y *story) {
		y.fault(1, 10*s+500*ms, 20*s, history.Kills, "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(11*s+501*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, breaks(judge.Death)},
	{"unknown at the deadline, long after a death", func(y *story) {
		y.fault(1, 10*s+500*ms, 20*s, history.Kills, "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, breaks(judge.Death)},
	{"unconfirmed at the deadline, long after a death", func(y *story) {
		y.fault(1, 10*s+500*ms, 20*s, history.Kills, "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s, 3, "user:ok-1", "unconfirmed", delivery(3, "s1", "gw-1", "unconfirmed"))
	}, breaks(judge.Death)},
	{"unconfirmed at the deadline, on a socket of the next life", func(y *story) {
		y.fault(1, 10*s+500*ms, 20*s, history.Kills, "gw-1")
		y.welcome(10*s+600*ms, "ok-1", history.Prompt, "s3", "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s, 3, "user:ok-1", "unconfirmed", delivery(3, "s3", "gw-1", "unconfirmed"))
	}, nil},
	{"unknown soon after a death", func(y *story) {
		y.fault(1, 10*s+500*ms, 20*s, history.Kills, "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(11*s+499*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, nil},
	{"unknown long after a silence", func(y *story) {
		y.fault(1, 10*s+500*ms, 20*s, history.Silences, "gw-1")
		y.ask(10*s, 3, "user:ok-1").Deadline = int64(18 * s)
		y.end(13*s+501*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, breaks(judge.Death)},
	{"unknown long after a death, beside another fault", func(y *story) {
		y.fault(1, 10*s+500*ms, 20*s, history.Kills, "gw-1")
		y.fault(2, 11*s, 11*s, "", "redis")
		y.ask(10*s, 3, "user:ok-1")
		y.end(11*s+501*ms, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
	}, nil},
}
