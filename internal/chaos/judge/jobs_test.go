package judge_test

import (
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

// hand hands a job over by clerk-1, with 5 s to go.
func (y *story) hand(at time.Duration, n int, manner string, await bool) *history.Task {
	return y.add(at, history.Event{Kind: history.Handed, Actor: "clerk-1", Task: &history.Task{
		Key: taskKey("clerk-1", n), Manner: manner, Await: await, Deadline: int64(at + 5*s)}}).Task
}

// taken ends that. Without a code it was taken in, or its result came.
func (y *story) taken(at time.Duration, n int, id, code string) *history.Outcome {
	key := taskKey("clerk-1", n)
	return y.add(at, history.Event{Kind: history.Taken, Actor: "clerk-1", Outcome: &history.Outcome{
		Key: key, ID: id, Code: code, Answer: &key}}).Outcome
}

func jobTurn(n int, id string, token uint64) *history.Turn {
	return &history.Turn{Key: taskKey("clerk-1", n), Number: int(token), Job: id, Attempt: 1, Token: token}
}

// works has a worker work at a job; text says why without effect.
func (y *story) works(from, to time.Duration, n int, id, who string, token uint64, text string) {
	y.add(from, history.Event{Kind: history.Started, Actor: who, Turn: jobTurn(n, id, token)})
	y.add(to, history.Event{Kind: history.Finished, Actor: who, Turn: jobTurn(n, id, token), Text: text})
}

// kept is what Redis's file says: done once, by the last of these starts.
func (y *story) kept(id string, tokens ...uint64) *history.Job {
	j := &history.Job{ID: id, TakenIn: 1, Tokens: tokens, Done: 1}
	if len(tokens) > 0 {
		j.DoneBy = tokens[len(tokens)-1]
	}
	return y.add(94*s, history.Event{Kind: history.Kept, Job: j}).Job
}

// job is a whole job that is awaited, all as it should be.
func (y *story) job(at time.Duration, n int, id string) {
	y.hand(at, n, history.Quick, true)
	y.works(at+1*ms, at+2*ms, n, id, "worker-1", 7, "")
	y.taken(at+3*ms, n, id, "")
}

// again is a job whose first attempt lasted until another began.
func (y *story) again(overlap time.Duration) {
	y.fault(1, 9*s, 20*s, "", "redis")
	y.hand(10*s, 3, history.Quick, false)
	y.taken(10*s+1*ms, 3, "a", "")
	y.works(10*s+2*ms, 12*s+overlap, 3, "a", "worker-1", 7, "lease lost")
	y.works(12*s, 12*s+1*ms, 3, "a", "worker-2", 8, "")
	y.kept("a", 7, 8)
}

// orphaned is a job whose worker was killed, and which starts elsewhere after a while; 0: never.
func (y *story) orphaned(after time.Duration) {
	y.hand(9900*ms, 3, history.Quick, false)
	y.taken(9901*ms, 3, "a", "")
	y.add(9950*ms, history.Event{Kind: history.Started, Actor: "worker-1", Turn: jobTurn(3, "a", 7)})
	y.fault(1, 10*s, 11*s, history.Kills, "worker-1")
	y.add(10*s+1*ms, history.Event{Kind: history.Left, Actor: "worker-1", Text: "signal: killed", Wanted: true})
	if after > 0 {
		y.works(10*s+after, 10*s+after+1*ms, 3, "a", "worker-2", 8, "")
	}
}

var tellingOfJobs = []telling{
	{"a job", func(y *story) {
		y.job(10*s, 3, "a")
		y.kept("a", 7)
	}, nil},
	{"a job that nobody hears of again", func(y *story) { y.hand(10*s, 3, history.Quick, false) }, breaks(judge.JobsEnd)},
	{"a job ends late for its clerk", func(y *story) {
		y.fault(1, 9*s, 20*s, "", "redis")
		y.hand(10*s, 3, history.Quick, true)
		y.taken(15*s+51*ms, 3, "", history.Maybe)
	}, breaks(judge.JobsEnd)},
	{"another's result", func(y *story) {
		y.hand(10*s, 3, history.Quick, true)
		y.works(10*s+1*ms, 10*s+2*ms, 3, "a", "worker-1", 7, "")
		y.taken(10*s+3*ms, 3, "a", "").Answer.Number = 4
		y.kept("a", 7)
	}, breaks(judge.Results)},
	{"a result of nothing", func(y *story) {
		y.hand(10*s, 3, history.Quick, true)
		y.taken(10*s+3*ms, 3, "a", "")
		y.works(10*s+4*ms, 10*s+5*ms, 3, "a", "worker-1", 7, "")
		y.kept("a", 7)
	}, breaks(judge.Results)},
	{"a job that was refused runs", func(y *story) {
		y.fault(1, 9*s, 20*s, "", "redis")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(11*s, 3, "", history.Refused)
		y.works(12*s, 13*s, 3, "a", "worker-1", 7, "")
		y.kept("a", 7)
	}, breaks(judge.Results)},
	{"a job that lives is called dead", func(y *story) {
		y.fault(1, 9*s, 20*s, "", "redis")
		y.hand(10*s, 3, history.Quick, true)
		y.works(12*s, 13*s, 3, "a", "worker-1", 7, "")
		y.taken(14*s, 3, "a", history.Died)
		y.kept("a", 7)
	}, breaks(judge.Results)},
	{"a job that was taken in is not there", func(y *story) {
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
	}, breaks(judge.JobsKept, judge.CalmJobs)},
	{"a job that was taken in is never done", func(y *story) {
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
		k := y.kept("a", 7)
		k.Done = 0
	}, breaks(judge.JobsKept, judge.CalmJobs)},
	{"a job that was taken in is never done: Redis was emptied", func(y *story) {
		y.fault(1, 9*s, 11*s, "", "redis")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
		k := y.kept("a", 7)
		k.Done, k.Flushed, k.Lost = 0, true, true
	}, nil},
	{"a job that was done is done twice: Redis was emptied long after", func(y *story) {
		y.job(10*s, 3, "a")
		k := y.kept("a", 7)
		k.Done, k.Flushed = 2, true
	}, breaks(judge.DoneOnce)},
	{"a job is handed over again, and Redis was emptied in between", func(y *story) {
		y.hand(10*s, 3, history.Quick, false).ID = "a"
		y.taken(10*s+1*ms, 3, "a", "")
		y.works(10*s+2*ms, 10*s+3*ms, 3, "a", "worker-1", 7, "")
		y.fault(1, 10*s+4*ms, 10*s+5*ms, "", "redis")
		again := y.hand(10*s+6*ms, 4, history.Quick, false)
		again.ID, again.First = "a", 3
		y.taken(10*s+7*ms, 4, "a", "")
		y.works(10*s+8*ms, 10*s+9*ms, 3, "a", "worker-1", 8, "")
		k := y.kept("a", 7, 8)
		k.TakenIn, k.Done, k.Flushed = 2, 2, true
	}, nil},
	{"a job dies for nothing", func(y *story) {
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
		k := y.kept("a", 7)
		k.Done, k.Dead, k.Code = 0, 1, "dead"
	}, breaks(judge.JobsKept, judge.CalmJobs)},
	{"a job dies of starts that were no attempts", func(y *story) {
		y.fault(1, 9*s, 11*s, "", "redis")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
		y.works(10*s+2*ms, 10*s+3*ms, 3, "a", "worker-1", 5, "lease lost") // its first attempt
		k := y.kept("a", 1, 2, 3, 4, 5)
		k.Done, k.Dead, k.Code = 0, 1, "dead"
	}, breaks(judge.JobsKept)},
	{"a job dies of its attempts", func(y *story) {
		y.fault(1, 9*s, 11*s, "", "redis")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
		k := y.kept("a", 1, 2, 3, 4, 5)
		k.Done, k.Dead, k.Code = 0, 1, "dead"
	}, nil},
	{"a job that is refused by its handler dies", func(y *story) {
		y.hand(10*s, 3, history.Bad, true)
		y.works(10*s+1*ms, 10*s+2*ms, 3, "a", "worker-1", 7, "it can't be done")
		y.taken(10*s+3*ms, 3, "a", history.Died)
		k := y.kept("a", 7)
		k.Done, k.Dead, k.Code = 0, 1, "dead"
	}, nil},
	{"a job is done twice", func(y *story) {
		y.job(10*s, 3, "a")
		y.kept("a", 7).Done = 2
	}, breaks(judge.DoneOnce)},
	{"a job is taken in twice", func(y *story) {
		y.job(10*s, 3, "a")
		y.kept("a", 7).TakenIn = 2
	}, breaks(judge.DoneOnce)},
	{"a job is completed by a start of before", func(y *story) {
		y.job(10*s, 3, "a")
		y.kept("a", 7, 8).DoneBy = 7
	}, breaks(judge.Fenced)},
	{"tokens do not rise", func(y *story) {
		y.job(10*s, 3, "a")
		y.kept("a", 8, 7)
	}, breaks(judge.Fenced)},
	{"a job is completed without effect", func(y *story) {
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
		y.works(10*s+2*ms, 10*s+3*ms, 3, "a", "worker-1", 7, "lease lost")
		y.kept("a", 7)
	}, breaks(judge.Fenced)},
	{"a job runs that Redis never had", func(y *story) {
		y.hand(10*s, 3, history.Quick, false)
		y.taken(11*s, 3, "", history.Maybe)
		y.works(10*s+1*ms, 10*s+2*ms, 3, "a", "worker-1", 7, "")
	}, breaks(judge.Fenced, judge.CalmJobs)},
	{"a job runs twice in one start", func(y *story) {
		y.fault(1, 9*s, 11*s, "", "redis")
		y.job(10*s, 3, "a")
		y.works(10*s+5*ms, 10*s+6*ms, 3, "a", "worker-1", 7, "")
		y.kept("a", 7)
	}, breaks(judge.Fenced)},
	{"a job that dies has starts that do not rise", func(y *story) {
		y.fault(1, 9*s, 11*s, "", "redis")
		y.hand(10*s, 3, history.Bad, false)
		y.taken(10*s+1*ms, 3, "a", "")
		y.works(10*s+2*ms, 10*s+3*ms, 3, "a", "worker-1", 7, "it can't be done")
		k := y.kept("a", 8, 7)
		k.Done, k.Dead, k.Code = 0, 1, "dead"
	}, breaks(judge.Fenced)},
	{"a job that was not kept had no effect", func(y *story) {
		y.fault(1, 9*s, 11*s, "", "redis")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
		y.works(10*s+2*ms, 10*s+3*ms, 3, "a", "worker-1", 7, "lease lost")
		y.kept("a", 7).DoneBy = 0
	}, breaks(judge.Fenced)},
	{"a job that was refused is there", func(y *story) {
		y.fault(1, 9*s, 20*s, "", "redis")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(11*s, 3, "a", history.Refused)
		y.kept("a").Done = 0
	}, breaks(judge.Results, judge.JobsKept)},
	{"a result of another attempt", func(y *story) {
		y.hand(10*s, 3, history.Quick, true)
		y.works(10*s+1*ms, 10*s+2*ms, 3, "a", "worker-1", 7, "")
		o := y.taken(10*s+3*ms, 3, "a", "")
		o.Node, o.Attempt = "worker-1", 2
		y.kept("a", 7)
	}, breaks(judge.Results)},
	{"a job is gone that nobody emptied Redis of", func(y *story) {
		y.fault(1, 9*s, 20*s, "", "redis")
		y.hand(10*s, 3, history.Quick, true)
		y.works(10*s+1*ms, 10*s+2*ms, 3, "a", "worker-1", 7, "")
		y.taken(14*s, 3, "a", history.Gone)
		y.kept("a", 7)
	}, breaks(judge.Results)},
	{"a job is waited for no longer, before its time", func(y *story) {
		y.fault(1, 9*s, 20*s, "", "redis")
		y.hand(10*s, 3, history.Quick, true)
		y.taken(14*s, 3, "a", history.WaitOver)
		y.works(14*s, 15*s, 3, "a", "worker-1", 7, "")
		y.kept("a", 7)
	}, breaks(judge.Results)},
	{"a job ends as none may", func(y *story) {
		y.fault(1, 9*s, 20*s, "", "redis")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(11*s, 3, "", "another error")
	}, breaks(judge.Results)},
	{"a job starts late, and nothing was wrong", func(y *story) {
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
		y.works(11*s+1*ms, 11*s+2*ms, 3, "a", "worker-1", 7, "")
		y.kept("a", 7)
	}, breaks(judge.CalmJobs)},
	{"a job is to start later", func(y *story) {
		y.hand(10*s, 3, history.Quick, false).Delay = int64(500 * ms)
		y.taken(10*s+1*ms, 3, "a", "")
		y.works(11*s+1*ms, 11*s+2*ms, 3, "a", "worker-1", 7, "")
		y.kept("a", 7)
	}, nil},
	{"a job is taken over, and nothing was wrong but a clock", func(y *story) {
		y.fault(1, 9*s, 12*s, history.Shifts)
		y.hand(10*s, 3, history.Steady, false)
		y.taken(10*s+1*ms, 3, "a", "")
		y.works(10*s+2*ms, 10*s+50*ms, 3, "a", "worker-1", 7, "lease lost")
		y.works(10*s+60*ms, 10*s+90*ms, 3, "a", "worker-2", 8, "")
		y.kept("a", 7, 8)
	}, breaks(judge.CalmJobs)},
	{"two work at a job, the first and the third", func(y *story) {
		y.fault(1, 9*s, 20*s, "", "redis")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
		y.works(10*s+2*ms, 12*s+300*ms, 3, "a", "worker-1", 7, "lease lost")
		y.stalled("worker-1", 10*s+500*ms, 11*s+200*ms)
		y.works(11*s+100*ms, 11*s+110*ms, 3, "a", "worker-2", 8, "it fails once")
		y.works(12*s, 12*s+1*ms, 3, "a", "worker-3", 9, "")
		y.kept("a", 7, 8, 9)
	}, nil},
	{"two work at a job, of whom one stood still long before", func(y *story) {
		y.fault(1, 9*s, 20*s, "", "gw-1")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(10*s+1*ms, 3, "a", "")
		y.works(10*s+2*ms, 13*s+300*ms, 3, "a", "worker-1", 7, "lease lost")
		y.stalled("worker-1", 10*s+500*ms, 11*s+900*ms)
		y.works(13*s, 13*s+1*ms, 3, "a", "worker-2", 8, "")
		y.kept("a", 7, 8)
	}, breaks(judge.Alone)},
	{"two work at a job, one after the other", func(y *story) { y.again(-1 * ms) }, nil},
	{"two work at a job", func(y *story) { y.again(51 * ms) }, breaks(judge.Alone)},
	{"two work at a job, of whom one stood still", func(y *story) {
		y.stalled("worker-1", 11*s, 12*s+40*ms)
		y.again(51 * ms)
	}, nil},
	{"a killed worker's job starts elsewhere", func(y *story) {
		y.orphaned(1900 * ms)
		y.kept("a", 7, 8)
	}, nil},
	{"a killed worker's job starts elsewhere late", func(y *story) {
		y.orphaned(2001 * ms)
		y.kept("a", 7, 8)
	}, breaks(judge.TakenOver)},
	{"a stopped worker's job starts elsewhere late", func(y *story) {
		y.hand(9900*ms, 3, history.Quick, false)
		y.taken(9901*ms, 3, "a", "")
		y.fault(1, 10*s, 16*s, history.Silences, "worker-1")
		y.stalled("worker-1", 10*s, 16*s)
		y.works(9950*ms, 16*s+10*ms, 3, "a", "worker-1", 7, "lease lost")
		y.works(15*s+1*ms, 15*s+2*ms, 3, "a", "worker-2", 8, "")
		y.kept("a", 7, 8)
	}, breaks(judge.TakenOver)},
	{"a killed worker's job starts nowhere", func(y *story) {
		y.orphaned(0)
		k := y.kept("a", 7)
		k.Done = 0
	}, breaks(judge.JobsKept, judge.TakenOver)},
	{"a job is refused, and nothing was wrong", func(y *story) {
		y.hand(10*s, 3, history.Quick, false)
		y.taken(11*s, 3, "", history.Refused)
	}, breaks(judge.CalmJobs)},
	{"a job is refused while a worker drains", func(y *story) {
		y.fault(1, 9*s, 12*s, history.Drains, "worker-1")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(11*s, 3, "", history.Refused)
	}, breaks(judge.CalmJobs)},
	{"a job is refused in a fault", func(y *story) {
		y.fault(1, 9*s, 12*s, "", "redis")
		y.hand(10*s, 3, history.Quick, false)
		y.taken(11*s, 3, "", history.Refused)
	}, nil},
}
