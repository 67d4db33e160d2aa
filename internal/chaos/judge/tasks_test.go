package judge_test

import (
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

func taskKey(asker string, n int) history.Key { return history.Key{Publisher: asker, Number: n} }

// call begins a call of a method by caller-1 with 2 s to go.
func (y *story) call(at time.Duration, n int, manner string) *history.Task {
	return y.add(at, history.Event{Kind: history.Called, Actor: "caller-1", Task: &history.Task{
		Key: taskKey("caller-1", n), Manner: manner, Deadline: int64(at + 2*s)}}).Task
}

// runs has an instance run a call; text says why its context ended.
func (y *story) runs(from, to time.Duration, n int, instance string, turn int, text string) {
	t := &history.Turn{Key: taskKey("caller-1", n), Number: turn}
	y.add(from, history.Event{Kind: history.Ran, Actor: instance, Turn: t})
	y.add(to, history.Event{Kind: history.RanOut, Actor: instance, Turn: t, Text: text})
}

// returns ends a call; without a code it gets its own answer from instance-1.
func (y *story) returns(at time.Duration, n int, code string, mayHaveRun bool) *history.Outcome {
	o := &history.Outcome{Key: taskKey("caller-1", n), Code: code, Ran: mayHaveRun}
	if code == "" {
		key := o.Key
		o.Answer, o.Node = &key, "instance-1"
	}
	return y.add(at, history.Event{Kind: history.Returned, Actor: "caller-1", Outcome: o}).Outcome
}

// called is a whole call, all as it should be.
func (y *story) called(at time.Duration, n int) {
	y.call(at, n, history.Quick)
	y.runs(at+1*ms, at+2*ms, n, "instance-1", n, "")
	y.returns(at+3*ms, n, "", false)
}

// diesWith is a call at an instance that is killed, and that ends so long after.
func (y *story) diesWith(after time.Duration, manner string) {
	y.call(10*s-10*ms, 3, manner)
	y.add(10*s-5*ms, history.Event{Kind: history.Ran, Actor: "instance-1", Turn: &history.Turn{Key: taskKey("caller-1", 3), Number: 3}})
	y.fault(1, 10*s, 11*s, history.Kills, "instance-1")
	y.add(10*s+1*ms, history.Event{Kind: history.Left, Actor: "instance-1", Text: "signal: killed", Wanted: true})
	y.returns(10*s+after, 3, "unknown", true)
}

var tellingOfMethods = []telling{
	{"a call", func(y *story) { y.called(10*s, 3) }, nil},
	{"a call never ends", func(y *story) { y.call(10*s, 3, history.Quick) }, breaks(judge.CallsEnd, judge.CalmCalls)},
	{"a call never ends, its caller was killed", func(y *story) {
		y.call(10*s, 3, history.Quick)
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-1", 3, "")
		y.fault(1, 11*s, 12*s, history.Kills, "caller-1")
	}, nil},
	{"a call ends twice", func(y *story) {
		y.called(10*s, 3)
		y.returns(11*s, 3, "", false)
	}, breaks(judge.CallsEnd)},
	{"a call ends late", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "redis")
		y.call(10*s, 3, history.Quick)
		y.returns(12*s+51*ms, 3, "timeout", true)
	}, breaks(judge.CallsEnd)},
	{"a call ends late, its caller stood still", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "redis")
		y.call(10*s, 3, history.Quick)
		y.stalled("caller-1", 12*s, 12*s+10*ms)
		y.returns(12*s+51*ms, 3, "timeout", true)
	}, nil},
	{"a call ends long after its caller gave up", func(y *story) {
		y.call(10*s, 3, history.Long).Quits = int64(10*s + 100*ms)
		y.returns(10*s+151*ms, 3, "cancelled", true)
	}, breaks(judge.CallsEnd)},
	{"a call gets another's answer", func(y *story) {
		y.call(10*s, 3, history.Quick)
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-1", 3, "")
		y.returns(10*s+3*ms, 3, "", false).Answer.Number = 4
	}, breaks(judge.Replies)},
	{"a call gets an answer, and nobody ran it", func(y *story) {
		y.call(10*s, 3, history.Quick)
		y.returns(10*s+3*ms, 3, "", false)
	}, breaks(judge.Replies, judge.CalmCalls)},
	{"a call gets an answer of who did not run it", func(y *story) {
		y.call(10*s, 3, history.Quick)
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-2", 3, "")
		y.returns(10*s+3*ms, 3, "", false)
	}, breaks(judge.Replies)},
	{"a call runs twice", func(y *story) {
		y.called(10*s, 3)
		y.runs(10*s+5*ms, 10*s+6*ms, 3, "instance-2", 3, "")
	}, breaks(judge.RunsOnce)},
	{"a call that may runs twice", func(y *story) {
		y.call(10*s, 3, history.Safe)
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-2", 3, "")
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-1", 3, "")
		y.returns(10*s+3*ms, 3, "", false)
	}, nil},
	{"a call that did not run did", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "redis")
		y.call(10*s, 3, history.Quick)
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-1", 3, "")
		y.returns(10*s+3*ms, 3, "unavailable", false)
	}, breaks(judge.NotRun)},
	{"a call that may have run did", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "redis")
		y.call(10*s, 3, history.Quick)
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-1", 3, "")
		y.returns(10*s+3*ms, 3, "unknown", true)
	}, nil},
	{"a call runs long after its deadline", func(y *story) {
		y.fault(1, 9*s, 16*s, "", "redis")
		y.call(10*s, 3, history.Quick)
		y.runs(14*s+501*ms, 14*s+502*ms, 3, "instance-1", 3, "")
		y.returns(12*s, 3, "timeout", true)
	}, breaks(judge.Late)},
	{"a handler outlasts its caller's patience", func(y *story) {
		y.call(10*s, 3, history.Long).Quits = int64(10*s + 100*ms)
		y.runs(10*s+1*ms, 10*s+202*ms, 3, "instance-1", 3, "cancelled")
		y.returns(10*s+101*ms, 3, "cancelled", true)
	}, breaks(judge.RunsEnd)},
	{"a handler outlasts its caller's patience in a fault", func(y *story) {
		y.fault(1, 9*s, 16*s, "", "redis")
		y.call(10*s, 3, history.Long).Quits = int64(10*s + 100*ms)
		y.runs(10*s+1*ms, 12*s, 3, "instance-1", 3, "timeout")
		y.returns(10*s+101*ms, 3, "cancelled", true)
	}, nil},
	{"a handler outlasts all", func(y *story) {
		y.fault(1, 9*s, 16*s, "", "redis")
		y.call(10*s, 3, history.Long)
		y.runs(10*s+1*ms, 14*s+602*ms, 3, "instance-1", 3, "timeout")
		y.returns(12*s, 3, "timeout", true)
	}, breaks(judge.RunsEnd)},
	{"a call fails, and nothing was wrong", func(y *story) {
		y.call(10*s, 3, history.Quick)
		y.returns(10*s+3*ms, 3, "unavailable", false)
	}, breaks(judge.CalmCalls)},
	{"a call fails while an instance drains", func(y *story) {
		y.fault(1, 9*s, 12*s, history.Drains, "instance-1")
		y.call(10*s, 3, history.Quick)
		y.returns(10*s+3*ms, 3, "draining", false)
	}, breaks(judge.CalmCalls)},
	{"a call fails while a clock jumps", func(y *story) {
		y.fault(1, 9*s, 12*s, history.Shifts)
		y.call(10*s, 3, history.Quick)
		y.returns(10*s+3*ms, 3, "unavailable", false)
	}, breaks(judge.CalmCalls)},
	{"a call fails in a fault", func(y *story) {
		y.fault(1, 9*s, 12*s, history.Kills, "instance-1")
		y.call(10*s, 3, history.Quick)
		y.returns(10*s+3*ms, 3, "unknown", true)
	}, nil},
	{"a method that nobody serves", func(y *story) {
		y.call(10*s, 3, history.Absent)
		y.returns(10*s+3*ms, 3, "unknown_method", false)
	}, nil},
	{"a method that nobody serves is only slow", func(y *story) {
		y.call(10*s, 3, history.Absent)
		y.returns(12*s, 3, "timeout", false)
	}, breaks(judge.CalmCalls)},
	{"a call is timed out, and has time left", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "redis")
		y.call(10*s, 3, history.Quick)
		y.returns(11*s, 3, "timeout", true)
	}, breaks(judge.Replies)},
	{"a call is cancelled, and nobody gave up", func(y *story) {
		y.call(10*s, 3, history.Quick).Deadline = int64(10*s + 20*ms)
		y.returns(10*s+20*ms, 3, "cancelled", true)
	}, breaks(judge.Replies)},
	{"a call ends as none may", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "redis")
		y.call(10*s, 3, history.Quick)
		y.returns(11*s, 3, "internal", true)
	}, breaks(judge.Replies)},
	{"a method refuses that never does", func(y *story) {
		y.fault(1, 9*s, 13*s, "", "redis")
		y.call(10*s, 3, history.Quick)
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-1", 3, "")
		y.returns(11*s, 3, history.Bad, true)
	}, breaks(judge.Replies)},
	{"a method refuses that does", func(y *story) {
		y.call(10*s, 3, history.Bad)
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-1", 3, "")
		y.returns(10*s+3*ms, 3, history.Bad, true)
	}, nil},
	{"a call that may run twice does at one instance", func(y *story) {
		y.call(10*s, 3, history.Safe)
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-1", 3, "")
		y.runs(10*s+4*ms, 10*s+5*ms, 3, "instance-1", 4, "")
		y.returns(10*s+6*ms, 3, "", false)
	}, breaks(judge.RunsOnce)},
	{"a handler has more time than its caller", func(y *story) {
		y.fault(1, 9*s, 16*s, "", "redis")
		y.call(10*s, 3, history.Long)
		y.runs(10*s+1*ms, 12*s+102*ms, 3, "instance-1", 3, "timeout")
		y.returns(12*s, 3, "timeout", true)
	}, breaks(judge.RunsEnd)},
	{"a handler outlasts its caller's patience, and stood still before", func(y *story) {
		y.call(10*s, 3, history.Long).Quits = int64(10*s + 800*ms)
		y.stalled("instance-1", 10*s+100*ms, 10*s+500*ms)
		y.runs(10*s+1*ms, 10*s+1002*ms, 3, "instance-1", 3, "cancelled")
		y.returns(10*s+801*ms, 3, "cancelled", true)
	}, breaks(judge.RunsEnd)},
	{"a call starts late, and nothing was wrong", func(y *story) {
		y.call(10*s, 3, history.Quick)
		y.runs(11*s+1*ms, 11*s+2*ms, 3, "instance-1", 3, "")
		y.returns(11*s+3*ms, 3, "", false)
	}, breaks(judge.CalmCalls)},
	{"a call starts late, and everybody stood still", func(y *story) {
		y.call(10*s, 3, history.Quick)
		y.stalled("redis", 10*s, 10*s+600*ms)
		y.runs(11*s+1*ms, 11*s+2*ms, 3, "instance-1", 3, "")
		y.returns(11*s+3*ms, 3, "", false)
	}, nil},
	{"a call fails at once, and somebody stood still for a moment", func(y *story) {
		y.call(10*s, 3, history.Quick)
		y.stalled("gw-1", 10*s, 10*s+10*ms)
		y.runs(10*s+1*ms, 10*s+2*ms, 3, "instance-1", 3, "")
		y.returns(10*s+3*ms, 3, "unknown", true)
	}, breaks(judge.CalmCalls)},
	{"a call of a method that takes too long ends before its time", func(y *story) {
		y.call(10*s, 3, history.Long).Millis = 4000
		y.runs(10*s+1*ms, 11*s, 3, "instance-1", 3, "cancelled")
		y.returns(11*s, 3, "unknown", true)
	}, breaks(judge.CalmCalls)},
	{"a method that nobody serves may have run", func(y *story) {
		y.call(10*s, 3, history.Absent)
		y.returns(10*s+3*ms, 3, "unknown_method", true)
	}, breaks(judge.CalmCalls)},
	{"an instance dies with a call, which is told in time", func(y *story) { y.diesWith(900*ms, history.Quick) }, nil},
	{"an instance dies with a call, which waits", func(y *story) { y.diesWith(1001*ms, history.Quick) }, breaks(judge.Death)},
	{"an instance dies with a call, which is made elsewhere", func(y *story) {
		y.diesWith(1500*ms, history.Safe)
		y.runs(11*s, 11*s+499*ms, 3, "instance-2", 1, "")
	}, nil},
	{"a run of no call", func(y *story) { y.runs(10*s, 11*s, 99, "instance-1", 3, "") }, breaks(judge.Identity)},
}
