package judge

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// A Rule is one promise, or one part of it.
type Rule string

// The rules.
const (
	// OneOutcome: each call ends exactly once, by its deadline plus 50 ms.
	OneOutcome Rule = "one outcome"
	// Refusals: a call is refused, or breaks, only when something is wrong with Redis or with the node that was asked.
	Refusals Rule = "refusals"
	// TrueReceipt: the outcome follows from the deliveries, and the times fit.
	TrueReceipt Rule = "true receipt"
	// Confirmed: a client acknowledged, or refused, before the receipt says so, and with that reply.
	Confirmed Rule = "confirmed"
	// Unwritten: where a receipt says that nothing was written, nothing is seen.
	Unwritten Rule = "unwritten"
	// Identity: a message has one ID, and comes only to whom it is for.
	Identity Rule = "identity"
	// Once: no socket gets an ID twice, and no client handles one twice.
	Once Rule = "once"
	// Marked: what comes again to a client that has changed sockets is marked as redelivered, but for a first copy that was on its way; and
	// in a quiet time nothing is.
	Marked Rule = "marked"
	// Order: what one publisher handed over one after another to one address comes in that order, but for what is redelivered.
	Order Rule = "order"
	// NoReceiver is not said of a client that is connected, unless its own node is in trouble.
	NoReceiver Rule = "no receiver"
	// Calm: from 3 s after a fault to the next one, each call ends as its clients' manner has it; also while a node drains that has nothing
	// to do with it.
	Calm Rule = "calm"
	// Arrived: in a quiet time whatever is handed over, also what is only published, comes to each socket that is there, within a second.
	Arrived Rule = "arrived"
	// Told: in a quiet time an answer that a client gave in time stands in the receipt.
	Told Rule = "told"
	// Late: nothing is delivered later than its deadline plus 2.5 s.
	Late Rule = "late"
	// Death: what a node had claimed is unknown within 1 s of its death, and within 3 s of its silence.
	Death Rule = "death"
	// Joined: the same ID again, after a call that got what it wanted, ends as that one did, and nothing is delivered again.
	Joined Rule = "joined"
	// CallsEnd: the call of a method ends exactly once, by its deadline, or when its caller gives up, plus 50 ms.
	CallsEnd Rule = "calls end"
	// Replies: what a call gets belongs to it, and comes from an instance that ran it.
	Replies Rule = "replies"
	// RunsOnce: a call of a method that is not declared idempotent never runs twice, and no other twice at one instance.
	RunsOnce Rule = "runs once"
	// NotRun: a call that is said not to have run did not.
	NotRun Rule = "not run"
	// RunsEnd: handlers end when their caller has given up, and always within the time that the call had.
	RunsEnd Rule = "handlers end"
	// CalmCalls: in a quiet time calls start soon and succeed, also while instances drain.
	CalmCalls Rule = "calm calls"
	// JobsEnd: handing over a job, and awaiting it, ends exactly once, by the deadline plus 50 ms.
	JobsEnd Rule = "jobs end"
	// Results: what is told of a job is so: the result is its own, what was refused Redis never had, what is dead or gone is.
	Results Rule = "results"
	// JobsKept: a job that was taken in is done, or dead with a reason, unless Redis was emptied before.
	JobsKept Rule = "jobs kept"
	// DoneOnce: a job is taken in and completed once.
	DoneOnce Rule = "done once"
	// Fenced: tokens rise, each is of one handler, and a job is completed by the attempt that started last, and had its effect.
	Fenced Rule = "fenced"
	// Alone: the handler of an attempt has ended before the next one starts, unless its process stood still.
	Alone Rule = "one at a time"
	// TakenOver: what a killed worker had in hand starts elsewhere within 2 s, that of one stopped for long within 5 s.
	TakenOver Rule = "taken over"
	// CalmJobs: in a quiet time jobs are taken in, start soon and once, and end as they should, also while workers drain.
	CalmJobs Rule = "calm jobs"
	// Left: at the end nothing is held that was not held at the start.
	Left Rule = "left over"
	// Process: no process ends by itself, or with a complaint.
	Process Rule = "process"
)

// Rules are all of them.
func Rules() []Rule {
	return []Rule{OneOutcome, Refusals, TrueReceipt, Confirmed, Unwritten, Identity, Once, Marked, Order, NoReceiver, Calm, Arrived, Told,
		Late, Death, Joined, CallsEnd, Replies, RunsOnce, NotRun, RunsEnd, CalmCalls, JobsEnd, Results, JobsKept, DoneOnce, Fenced, Alone,
		TakenOver, CalmJobs, Left, Process}
}

// A Violation is a promise that was not kept.
type Violation struct {
	Rule     Rule
	Text     string
	Evidence []string // files and lines
}

func (v Violation) String() string {
	return fmt.Sprintf("%s: %s [%s]", v.Rule, v.Text, strings.Join(v.Evidence, " "))
}

// A Verdict is what a history shows.
type Verdict struct {
	Violations []Violation
	Examined   map[Rule]int           // how many cases each rule had
	Excused    map[Rule]int           // how many of them only a fault or a stall excuses
	Worst      map[Rule]time.Duration // how near a rule about time came to its bound, stalls taken off
	Outcomes   map[string]int         // of requests, with failures by their names
	Faults     map[string]int
	Requests   int
	Published  int
	Seen       int
	Calls      int            // of methods
	Jobs       int            // handed over
	Ends       map[string]int // of calls and jobs
}

// NewVerdict is one on nothing, to which others are added.
func NewVerdict() *Verdict {
	return &Verdict{Examined: map[Rule]int{}, Excused: map[Rule]int{}, Worst: map[Rule]time.Duration{}, Outcomes: map[string]int{},
		Faults: map[string]int{}, Ends: map[string]int{}}
}

// Judge holds a history against all rules. The events are in the order of time.
func Judge(events []history.Event) *Verdict {
	w := newWorld(events)
	v := NewVerdict()
	for _, check := range []func(*world, *Verdict){judgeCalls, judgeReceipts, judgeSights, judgeOrder, judgeReach, judgeCalm,
		judgeDeaths, judgeJoined, judgeMethods, judgeJobs, judgeRest} {
		check(w, v)
	}
	v.sum(w)
	return v
}

// Add puts the numbers of another verdict to these.
func (v *Verdict) Add(o *Verdict) {
	v.Violations = append(v.Violations, o.Violations...)
	v.Calls, v.Jobs = v.Calls+o.Calls, v.Jobs+o.Jobs
	v.Requests, v.Published, v.Seen = v.Requests+o.Requests, v.Published+o.Published, v.Seen+o.Seen
	for _, pair := range [][2]map[Rule]int{{v.Examined, o.Examined}, {v.Excused, o.Excused}} {
		for r, n := range pair[1] {
			pair[0][r] += n
		}
	}
	for _, pair := range [][2]map[string]int{{v.Outcomes, o.Outcomes}, {v.Faults, o.Faults}, {v.Ends, o.Ends}} {
		for name, n := range pair[1] {
			pair[0][name] += n
		}
	}
	for r, worst := range o.Worst {
		v.measure(r, worst)
	}
}

func (v *Verdict) sum(w *world) {
	for _, c := range w.calls {
		v.Seen += len(c.seen)
		if c.Publish {
			v.Published++
			continue
		}
		v.Requests++
		switch end := c.end(); {
		case end == nil:
			v.Outcomes["none"]++
		case end.End.Receipt != nil:
			v.Outcomes[end.End.Receipt.Outcome]++
		default:
			v.Outcomes["("+end.End.Failure+")"]++
		}
	}
	for _, f := range w.faults {
		v.Faults[f.Name]++
	}
	v.Calls, v.Jobs = len(w.methods.keys), len(w.jobs.keys)
	v.sumEnds("call", w.methods)
	v.sumEnds("job", w.jobs)
}

func (v *Verdict) sumEnds(what string, r *errands) {
	for _, t := range r.all {
		end := "none"
		if o := t.outcome(); o != nil {
			end = cmp.Or(o.Code, "ok")
		}
		v.Ends[what+" "+end]++
	}
}

// examine counts a case of a rule.
func (v *Verdict) examine(r Rule) { v.Examined[r]++ }

// excuse counts a case that would break the rule, were it not for a fault or a stall.
func (v *Verdict) excuse(r Rule) { v.Excused[r]++ }

// measure keeps the worst time that a rule has seen.
func (v *Verdict) measure(r Rule, took time.Duration) { v.Worst[r] = max(v.Worst[r], took) }

func (v *Verdict) violatef(r Rule, evidence []history.Event, format string, args ...any) {
	where := make([]string, len(evidence))
	for i, e := range evidence {
		where[i] = e.Where
	}
	v.Violations = append(v.Violations, Violation{r, fmt.Sprintf(format, args...), where})
}

// Broken counts the violations of each rule.
func (v *Verdict) Broken() map[Rule]int {
	broken := make(map[Rule]int)
	for _, one := range v.Violations {
		broken[one.Rule]++
	}
	return broken
}

// Print writes the verdict for a person: each rule in a line, and at most so many violations of each.
func (v *Verdict) Print(to io.Writer, most int) {
	fmt.Fprintf(to, "%d requests, %d published, %d messages seen\n", v.Requests, v.Published, v.Seen)
	fmt.Fprintf(to, "%d calls of methods, %d jobs: %s\n", v.Calls, v.Jobs, counted(v.Ends))
	fmt.Fprintf(to, "outcomes: %s\nfaults:   %s\n", counted(v.Outcomes), counted(v.Faults))
	broken := v.Broken()
	for _, r := range Rules() {
		fmt.Fprintf(to, "%-14s %8d examined %6d excused %6d violated", r, v.Examined[r], v.Excused[r], broken[r])
		if worst, timed := v.Worst[r]; timed {
			fmt.Fprintf(to, "   worst %v", worst.Round(100*time.Microsecond))
		}
		if v.Examined[r] == 0 && broken[r] == 0 {
			fmt.Fprint(to, "   HAD NOTHING TO LOOK AT")
		}
		fmt.Fprintln(to)
	}
	shown := make(map[Rule]int)
	for _, one := range v.Violations {
		if shown[one.Rule]++; shown[one.Rule] <= most {
			fmt.Fprintln(to, "VIOLATED", one)
		}
	}
}

func counted(numbers map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, numbers[name]))
	}
	return strings.Join(parts, ", ")
}
