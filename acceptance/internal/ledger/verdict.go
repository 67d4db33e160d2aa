package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Verdict is what Judge and JudgeTicks found.
type Verdict struct {
	Jobs     int      `json:"jobs"`     // that somebody was told are taken in
	Again    int      `json:"again"`    // of these, whose effect happened more than once
	Starts   int      `json:"starts"`   // of all jobs
	Results  int      `json:"results"`  // that callers got
	Lapsed   int      `json:"lapsed"`   // handlers that were told that their lease, or their time, is over
	Breaches []string `json:"breaches"` // of what is promised; none: all is well
	// TakenOver is how long after the kill of its worker each job was started again, in rising order: of kills that were not about the
	// time of an outage of Redis, after which nobody trusts what he sees for a while.
	TakenOver []time.Duration `json:"taken_over"`

	killed  map[string]time.Time // when workers were
	outages []time.Time
}

// String tells the counts, and the first breaches.
func (v *Verdict) String() string {
	const shown = 20
	text := fmt.Sprintf("%d jobs, %d starts, %d results; %d jobs had their effect more than once; "+
		"%d handlers ran out of their lease or time; %d breaches",
		v.Jobs, v.Starts, v.Results, v.Again, v.Lapsed, len(v.Breaches))
	if n := len(v.TakenOver); n > 0 {
		text += fmt.Sprintf("\n%d jobs of killed workers were started again after %v to %v, half of them within %v, 99 of 100 within %v", n,
			v.TakenOver[0], v.TakenOver[n-1], v.TakenOver[n/2], v.TakenOver[n*99/100])
	}
	if len(v.Breaches) > 0 {
		text += "\n" + strings.Join(v.Breaches[:min(len(v.Breaches), shown)], "\n")
	}
	return text
}

func (v *Verdict) breachf(format string, args ...any) {
	v.Breaches = append(v.Breaches, fmt.Sprintf(format, args...))
}

// A story is what event files say of one job.
type story struct {
	taken   int
	effects []Event
	results []string
}

// Judge judges a run that is over, in which no job was to die: each job that was taken in has had its effect, was completed exactly
// once, by a start that had its effect before, the tokens of its starts grew, and whoever awaited it got its own result, once.
func Judge(events []Event, redis map[string]*Record) *Verdict {
	v := &Verdict{killed: make(map[string]time.Time)}
	stories := make(map[string]*story)
	for _, e := range events {
		switch e.Kind {
		case Killed:
			v.killed[e.Worker] = time.Unix(0, e.At)
			continue
		case Outage:
			v.outages = append(v.outages, time.Unix(0, e.At))
			continue
		}
		s := stories[e.Job]
		if s == nil {
			s = &story{}
			stories[e.Job] = s
		}
		switch e.Kind {
		case Taken:
			s.taken++
		case Effect:
			s.effects = append(s.effects, e)
		case Result:
			s.results = append(s.results, e.Text)
		case Lapsed:
			v.Lapsed++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(stories)) {
		v.judge(id, stories[id], redis[id])
	}
	for id := range redis {
		if stories[id] == nil {
			v.breachf("%s is in Redis's file alone: nobody took it in, and nobody began it", id)
		}
	}
	slices.Sort(v.TakenOver)
	return v
}

func (v *Verdict) judge(id string, s *story, r *Record) {
	if s.taken == 0 {
		v.breachf("%s had effects or results, but was never said to be taken in", id)
	}
	v.Jobs++
	v.Results += len(s.results)
	if len(s.effects) > 1 {
		v.Again++
	}
	switch {
	case r == nil:
		v.breachf("%s is lost: Redis's file does not know it", id)
		return
	case r.TakenIn != 1:
		v.breachf("%s was taken in %d times", id, r.TakenIn)
	case r.Dead > 0:
		v.breachf("%s died", id)
	case r.Done == 0:
		v.breachf("%s is lost: taken in, and never completed", id)
	case r.Done > 1:
		v.breachf("%s was completed %d times", id, r.Done)
	}
	v.Starts += len(r.Starts)
	v.judgeStarts(id, s, r)
	for i, text := range s.results {
		if text != ResultOf(id) || i > 0 {
			v.breachf("%s: result %d is %q", id, i+1, text)
		}
	}
}

func (v *Verdict) judgeStarts(id string, s *story, r *Record) {
	for i := 1; i < len(r.Starts); i++ {
		before, now := r.Starts[i-1], r.Starts[i]
		if now.Token <= before.Token {
			v.breachf("%s: token %d after %d", id, now.Token, before.Token)
		}
		if died, ok := v.killed[before.Worker]; ok && now.At.After(died) && v.calm(died) {
			v.TakenOver = append(v.TakenOver, now.At.Sub(died).Round(time.Millisecond))
		}
	}
	if len(s.effects) == 0 {
		v.breachf("%s has no effect", id)
	}
	if r.Done == 0 {
		return
	}
	if len(r.Starts) == 0 || r.Starts[len(r.Starts)-1].Token != r.DoneBy {
		v.breachf("%s was completed with token %d, which is not that of its last start (%v)", id, r.DoneBy, r.Starts)
	}
	if !slices.ContainsFunc(s.effects, func(e Event) bool { return e.Token == r.DoneBy }) {
		v.breachf("%s was completed by a start that had no effect", id)
	}
}

// calm reports whether there was no outage about a time.
func (v *Verdict) calm(at time.Time) bool {
	const before, after = 5 * time.Second, 10 * time.Second
	return !slices.ContainsFunc(v.outages, func(o time.Time) bool { return at.Add(before).After(o) && at.Before(o.Add(after)) })
}

// ResultOf is the result that a job has to come back with: nobody else's.
func ResultOf(id string) string { return "done " + id }

// JudgeTicks judges a schedule by the jobs <name>@<time> in Redis's file: each tick between the first and the last became one job, which
// was completed once. It returns how many ticks there are.
func JudgeTicks(redis map[string]*Record, name string, every time.Duration) (ticks int, v *Verdict) {
	v = &Verdict{}
	var times []time.Time
	for id, r := range redis {
		text, ok := strings.CutPrefix(id, name+"@")
		if !ok {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			v.breachf("%s is no tick: %v", id, err)
			continue
		}
		times = append(times, at)
		v.Jobs++
		v.Starts += len(r.Starts)
		if r.TakenIn != 1 || r.Done != 1 || r.Dead > 0 {
			v.breachf("%s was taken in %d times, completed %d times, died %d times", id, r.TakenIn, r.Done, r.Dead)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := 1; i < len(times); i++ {
		if step := times[i].Sub(times[i-1]); step != every {
			v.breachf("%v after %s there is the next tick, not %v", step, times[i-1].Format(time.RFC3339), every)
		}
	}
	return len(times), v
}
