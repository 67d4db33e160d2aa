package judge_test

import (
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

// published adds a message that is only published, some milliseconds after 10 s and for some.
func (y *story) published(after, lasting, n int, to string) {
	at := 10*s + time.Duration(after)*ms
	y.ask(at, n, to).Publish = true
	y.fails(at+time.Duration(lasting)*ms, n, "")
}

var tellingOfSights = []telling{
	{"twice on a socket", func(y *story) {
		y.confirmed(10*s, 3, "user:ok-1", "ok-1", "s1")
		again := y.seen(11*s, 3, "user:ok-1", "ok-1", "s1")
		again.Handled, again.Redelivered = false, true
	}, breaks(judge.Once)},
	{"handled twice", func(y *story) {
		y.closed(10*s+500*ms, "ok-1", "s1")
		y.welcome(10*s+600*ms, "ok-1", history.Prompt, "s3", "gw-1")
		y.confirmed(10*s, 3, "user:ok-1", "ok-1", "s1")
		y.seen(11*s, 3, "user:ok-1", "ok-1", "s3").Redelivered = true
	}, breaks(judge.Once)},
	{"again on another socket, marked", func(y *story) {
		y.closed(10*s+500*ms, "ok-1", "s1")
		y.welcome(10*s+600*ms, "ok-1", history.Prompt, "s3", "gw-1")
		y.confirmed(10*s, 3, "user:ok-1", "ok-1", "s1")
		again := y.seen(11*s, 3, "user:ok-1", "ok-1", "s3")
		again.Redelivered, again.Handled = true, false
	}, nil},
	{"again on another socket, not marked", func(y *story) {
		y.closed(10*s+500*ms, "ok-1", "s1")
		y.welcome(10*s+600*ms, "ok-1", history.Prompt, "s3", "gw-1")
		y.confirmed(10*s, 3, "user:ok-1", "ok-1", "s1")
		y.seen(11*s, 3, "user:ok-1", "ok-1", "s3").Handled = false
	}, breaks(judge.Marked)},
	{"again on another socket at once, not marked", func(y *story) {
		y.closed(10*s+50*ms, "ok-1", "s1")
		y.welcome(10*s+60*ms, "ok-1", history.Prompt, "s3", "gw-2")
		y.confirmed(10*s, 3, "user:ok-1", "ok-1", "s1")
		y.seen(10*s+249*ms, 3, "user:ok-1", "ok-1", "s3").Handled = false
	}, nil},
	{"with two IDs", func(y *story) {
		y.confirmed(10*s, 3, "user:ok-1", "ok-1", "s1")
		y.events[len(y.events)-3].Message.ID = "id-other"
	}, breaks(judge.Identity)},
	{"two with one ID", func(y *story) {
		y.published(0, 1, 3, "user:ok-1")
		y.published(10, 1, 4, "user:ok-1")
		y.seen(10*s+5*ms, 3, "user:ok-1", "ok-1", "s1")
		y.seen(10*s+15*ms, 4, "user:ok-1", "ok-1", "s1").ID = "id-3"
	}, breaks(judge.Identity)},
	{"to the wrong client", func(y *story) {
		y.fault(1, 9*s, 15*s, "", "gw-1")
		y.published(0, 1, 3, "user:ok-1")
		y.seen(10*s+5*ms, 3, "user:ok-1", "ok-2", "s2")
	}, breaks(judge.Identity)},
	{"of nobody", func(y *story) { y.seen(10*s, 99, "user:ok-1", "ok-1", "s1") }, breaks(judge.Identity)},
	{"in the wrong order", func(y *story) {
		y.published(0, 1, 3, "user:ok-1")
		y.published(2, 1, 4, "user:ok-1")
		y.seen(10*s+5*ms, 4, "user:ok-1", "ok-1", "s1")
		y.seen(10*s+6*ms, 3, "user:ok-1", "ok-1", "s1")
	}, breaks(judge.Order)},
	{"in the other order, at the same time", func(y *story) {
		y.published(0, 3, 3, "user:ok-1")
		y.published(2, 1, 4, "user:ok-1")
		y.seen(10*s+5*ms, 4, "user:ok-1", "ok-1", "s1")
		y.seen(10*s+6*ms, 3, "user:ok-1", "ok-1", "s1")
	}, nil},
	{"in the other order, sent again", func(y *story) {
		y.fault(1, 9*s, 15*s, "", "gw-1")
		y.published(0, 1, 3, "user:ok-1")
		y.published(2, 1, 4, "user:ok-1")
		y.seen(10*s+5*ms, 4, "user:ok-1", "ok-1", "s1")
		y.seen(10*s+6*ms, 3, "user:ok-1", "ok-1", "s1").Redelivered = true
	}, nil},
	{"in the other order, to two addresses", func(y *story) {
		y.published(0, 1, 3, "user:ok-1")
		y.published(2, 1, 4, "group:all")
		y.seen(10*s+5*ms, 4, "group:all", "ok-2", "s2")
		y.seen(10*s+5*ms, 4, "group:all", "ok-1", "s1")
		y.seen(10*s+6*ms, 3, "user:ok-1", "ok-1", "s1")
	}, nil},
	{"in the other order, by two lives of a node", func(y *story) {
		y.add(1*s, history.Event{Kind: history.Began, Actor: "bus-1"})
		y.published(0, 1, 3, "user:ok-1")
		y.add(10*s+2*ms, history.Event{Kind: history.Began, Actor: "bus-1"})
		y.published(3, 1, 4, "user:ok-1")
		y.seen(10*s+5*ms, 4, "user:ok-1", "ok-1", "s1")
		y.seen(10*s+6*ms, 3, "user:ok-1", "ok-1", "s1")
	}, nil},
	{"after one that broke", func(y *story) {
		y.fault(1, 9*s, 15*s, history.Kills, "gw-1")
		y.ask(10*s, 3, "user:ok-1").Entry = "gw-1"
		y.fails(10*s+1*ms, 3, history.Broken)
		y.published(2, 1, 4, "user:ok-1")
		y.seen(10*s+5*ms, 4, "user:ok-1", "ok-1", "s1")
		y.seen(10*s+6*ms, 3, "user:ok-1", "ok-1", "s1")
	}, nil},
	{"far too late", func(y *story) {
		y.fault(1, 9*s, 15*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
		y.seen(14*s+501*ms, 3, "user:ok-1", "ok-1", "s1")
	}, breaks(judge.Late)},
	{"far too late, the clients stood still", func(y *story) {
		y.fault(1, 9*s, 15*s, "", "gw-1")
		y.ask(10*s, 3, "user:ok-1")
		y.end(12*s, 3, "user:ok-1", "unknown", delivery(3, "s1", "gw-1", "unknown"))
		y.stalled("clients", 14*s, 14*s+500*ms)
		y.seen(14*s+501*ms, 3, "user:ok-1", "ok-1", "s1")
	}, nil},
}
