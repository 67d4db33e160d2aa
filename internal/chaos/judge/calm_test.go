package judge_test

import (
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

// unheard makes a request whose client answers at 10.1 s, and whose receipt does not know.
func (y *story) unheard() {
	y.welcome(9*s, "slow-1", history.Slow, "s3", "gw-1")
	y.ask(10*s, 3, "user:slow-1")
	y.seen(10*s+1*ms, 3, "user:slow-1", "slow-1", "s3")
	y.answered(10*s+100*ms, 3, "user:slow-1", "slow-1", "s3", history.Ack)
	y.end(12*s, 3, "user:slow-1", "unconfirmed", delivery(3, "s3", "gw-1", "unconfirmed"))
}

var tellingOfCalm = []telling{
	{"only published, and it came", func(y *story) {
		y.published(0, 1, 3, "user:ok-1")
		y.seen(10*s+5*ms, 3, "user:ok-1", "ok-1", "s1")
	}, nil},
	{"only published, and it did not come", func(y *story) { y.published(0, 1, 3, "user:ok-1") }, breaks(judge.Arrived)},
	{"only published, and it came late", func(y *story) {
		y.published(0, 1, 3, "user:ok-1")
		y.seen(11*s+2*ms, 3, "user:ok-1", "ok-1", "s1")
	}, breaks(judge.Arrived)},
	{"only published, and it came late: his node stood still", func(y *story) {
		y.published(0, 1, 3, "user:ok-1")
		y.stalled("gw-1", 10*s+500*ms, 10*s+600*ms)
		y.seen(11*s+2*ms, 3, "user:ok-1", "ok-1", "s1")
	}, nil},
	{"only published, to a group of which one did not get it", func(y *story) {
		y.published(0, 1, 3, "group:all")
		y.seen(10*s+5*ms, 3, "group:all", "ok-1", "s1")
	}, breaks(judge.Arrived)},
	{"only published in a fault, and it did not come", func(y *story) {
		y.fault(1, 9*s, 9500*ms, "", "redis")
		y.published(0, 1, 3, "user:ok-1")
	}, nil},
	{"only published, and he was gone", func(y *story) {
		y.closed(10*s+500*ms, "ok-1", "s1")
		y.published(0, 1, 3, "user:ok-1")
	}, nil},
	{"marked, and nothing was wrong", func(y *story) {
		y.published(0, 1, 3, "user:ok-1")
		y.seen(10*s+5*ms, 3, "user:ok-1", "ok-1", "s1").Redelivered = true
	}, breaks(judge.Marked)},
	{"marked, and somebody had stood still", func(y *story) {
		y.published(0, 300, 3, "user:ok-1")
		y.stalled("gw-2", 10*s, 10*s+80*ms)
		y.seen(10*s+255*ms, 3, "user:ok-1", "ok-1", "s1").Redelivered = true
	}, nil},
	{"an answer is not told", func(y *story) { y.unheard() }, breaks(judge.Told)},
	{"an answer is not told, the node stood still", func(y *story) {
		y.unheard()
		for at := 10*s + 100*ms; at < 12*s; at += 100 * ms {
			y.stalled("gw-1", at, at+95*time.Millisecond)
		}
	}, nil},
	{"an answer is not told, soon after a fault", func(y *story) {
		y.unheard()
		y.fault(1, 7*s, 7500*ms, "", "gw-1")
	}, nil},
}
