package judge_test

import (
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

var tellingOfReceipts = []telling{
	{"confirmed, and the client said nothing", func(y *story) {
		y.ask(10*s, 3, "user:ok-1")
		y.seen(10*s+1*ms, 3, "user:ok-1", "ok-1", "s1")
		y.end(11*s, 3, "user:ok-1", "confirmed", delivery(3, "s1", "gw-1", "confirmed"))
	}, breaks(judge.Confirmed)},
	{"confirmed before the client said so", func(y *story) {
		y.ask(10*s, 3, "user:ok-1")
		y.seen(10*s+1*ms, 3, "user:ok-1", "ok-1", "s1")
		y.end(11*s, 3, "user:ok-1", "confirmed", delivery(3, "s1", "gw-1", "confirmed"))
		y.answered(11*s+1*ms, 3, "user:ok-1", "ok-1", "s1", history.Ack)
	}, breaks(judge.Confirmed)},
	{"confirmed on another socket", func(y *story) {
		y.welcome(9*s, "ok-1", history.Prompt, "s3", "gw-2")
		y.ask(10*s, 3, "user:ok-1")
		y.seen(10*s+1*ms, 3, "user:ok-1", "ok-1", "s1")
		y.answered(10*s+2*ms, 3, "user:ok-1", "ok-1", "s1", history.Ack)
		y.end(11*s, 3, "user:ok-1", "confirmed", delivery(3, "s3", "gw-2", "confirmed"))
	}, breaks(judge.Confirmed, judge.Arrived, judge.Told)},
	{"confirmed with the reply of another", func(y *story) {
		y.confirmed(9*s, 3, "user:ok-1", "ok-1", "s1")
		y.ask(10*s, 4, "user:ok-1")
		y.seen(10*s+1*ms, 4, "user:ok-1", "ok-1", "s1")
		y.answered(10*s+2*ms, 4, "user:ok-1", "ok-1", "s1", history.Ack)
		y.end(11*s, 4, "user:ok-1", "confirmed", delivery(3, "s1", "gw-1", "confirmed"))
	}, breaks(judge.Confirmed)},
	{"rejected, and the client confirmed", func(y *story) {
		y.welcome(9*s, "no-1", history.Unkind, "s3", "gw-1")
		y.ask(10*s, 3, "user:no-1")
		y.seen(10*s+1*ms, 3, "user:no-1", "no-1", "s3")
		y.answered(10*s+2*ms, 3, "user:no-1", "no-1", "s3", history.Ack)
		y.end(11*s, 3, "user:no-1", "rejected", delivery(3, "s3", "gw-1", "rejected"))
	}, breaks(judge.Confirmed, judge.Told)},
	{"unavailable, and yet it came", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "redis")
		y.ask(10*s, 3, "user:ok-1")
		y.seen(10*s+1*ms, 3, "user:ok-1", "ok-1", "s1")
		y.fails(11*s, 3, history.Unavailable)
	}, breaks(judge.Unwritten)},
	{"no receiver, and yet it came", func(y *story) {
		y.fault(1, 9*s, 13*s, history.Silences, "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(11*s, 3, "user:ok-1", "no_receiver")
		y.seen(11*s+1*ms, 3, "user:ok-1", "ok-1", "s1")
	}, breaks(judge.Unwritten)},
	{"dropped, and yet it came", func(y *story) {
		y.ask(10*s, 3, "user:ok-1").Volatile = true
		y.seen(10*s+1*ms, 3, "user:ok-1", "ok-1", "s1")
		y.end(11*s, 3, "user:ok-1", "dropped", delivery(3, "s1", "gw-1", "dropped"))
	}, breaks(judge.Unwritten)},
	{"expired, and yet it came", func(y *story) {
		y.ask(10*s, 3, "user:ok-1")
		y.seen(10*s+1*ms, 3, "user:ok-1", "ok-1", "s1")
		y.end(11*s, 3, "user:ok-1", "expired", delivery(3, "s1", "gw-1", "expired"))
	}, breaks(judge.Unwritten, judge.Calm)},
	{"closed before it was written, and yet it came", func(y *story) {
		y.welcome(9*s, "quit-1", history.Fickle, "s3", "gw-1")
		y.ask(10*s, 3, "user:quit-1")
		y.seen(10*s+1*ms, 3, "user:quit-1", "quit-1", "s3")
		y.end(11*s, 3, "user:quit-1", "closed", delivery(3, "s3", "gw-1", "closed"))
	}, breaks(judge.Unwritten)},
	{"closed after it was written", func(y *story) {
		y.welcome(9*s, "quit-1", history.Fickle, "s3", "gw-1")
		y.ask(10*s, 3, "user:quit-1")
		y.seen(10*s+1*ms, 3, "user:quit-1", "quit-1", "s3")
		d, written, settled := delivery(3, "s3", "gw-1", "closed"), 1.0, 2.0
		d.Written, d.Settled = &written, &settled
		y.end(11*s, 3, "user:quit-1", "closed", d)
	}, nil},
	{"the outcome does not follow", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(11*s, 3, "user:ok-1", "expired", delivery(3, "s1", "gw-1", "unknown"))
	}, breaks(judge.TrueReceipt)},
	{"confirmed by one of two, where all were asked", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-2")
		y.ask(10*s, 3, "group:all").Require = "all"
		y.seen(10*s+1*ms, 3, "group:all", "ok-1", "s1")
		y.answered(10*s+2*ms, 3, "group:all", "ok-1", "s1", history.Ack)
		y.end(11*s, 3, "group:all", "confirmed", delivery(3, "s1", "gw-1", "confirmed"), delivery(3, "s2", "gw-2", "unknown"))
	}, breaks(judge.TrueReceipt)},
	{"too few", func(y *story) {
		y.ask(10*s, 3, "user:ok-1").Require = "2"
		y.seen(10*s+1*ms, 3, "user:ok-1", "ok-1", "s1")
		y.answered(10*s+2*ms, 3, "user:ok-1", "ok-1", "s1", history.Ack)
		y.end(11*s, 3, "user:ok-1", "too_few", delivery(3, "s1", "gw-1", "confirmed"))
	}, nil},
	{"settled before it was written", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		d, written, settled := delivery(3, "s1", "gw-1", "unknown"), 2.0, 1.0
		d.Written, d.Settled = &written, &settled
		y.end(11*s, 3, "user:ok-1", "unknown", d)
	}, breaks(judge.TrueReceipt)},
	{"a receipt of somebody else", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(11*s, 3, "user:ok-2", "unknown", delivery(3, "s2", "gw-2", "unknown"))
	}, breaks(judge.TrueReceipt)},
}
