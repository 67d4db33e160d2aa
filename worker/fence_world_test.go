package worker

import (
	"fmt"
	"time"
)

const fenceBase = "q:{q}:"

// A fenceAttempt is one start of a job, as Redis handed it out.
type fenceAttempt struct {
	job   *fenceJob
	by    string
	entry entry
	token int64
	heard bool // by its worker
}

// A fenceJob is one job under an ID, and what has become of it as far as answers tell: those that were lost as well.
type fenceJob struct {
	id    string
	last  int64         // the highest token
	runs  *fenceAttempt // who has it
	over  bool
	done  int
	since int // how often the clock had been set back
}

// A fenceWord is what a worker says of an entry.
type fenceWord struct {
	kind     string
	entry    entry
	token    int64
	parts    []any
	attempt  *fenceAttempt
	accepted bool
}

// A fenceWorker remembers what it heard.
type fenceWorker struct {
	name       string
	held       []entry
	running    []*fenceAttempt
	unanswered []*fenceWord
	known      map[place]bool
	seen       float64 // its heartbeat, as somebody saw it
}

func newFenceWorker(n int) *fenceWorker {
	return &fenceWorker{name: fmt.Sprint("w", n), known: make(map[place]bool)}
}

// A fenceWorld is a queue on the scripts, with workers that do anything at any time, and a judge of every answer, who knows only what was
// handed out, taken over and accepted before.
type fenceWorld struct {
	redis   *scripted
	now     time.Time
	back    int // how often the clock was set back
	workers []*fenceWorker
	named   int
	jobs    map[string]*fenceJob // that Redis should know
	wrong   string
}

func newFenceWorld(redis *scripted) *fenceWorld {
	w := &fenceWorld{redis: redis, now: time.Unix(1_700_000_000, 0), jobs: make(map[string]*fenceJob)}
	redis.reset(w.now)
	for range 3 {
		w.named++
		w.workers = append(w.workers, newFenceWorker(w.named))
	}
	return w
}

func (w *fenceWorld) failf(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
	}
}

func (w *fenceWorld) advance(d time.Duration) {
	w.now = w.now.Add(d)
	w.redis.set(w.now)
}

func (w *fenceWorld) enqueue(which int) {
	id := fmt.Sprint("job-", which)
	reply := w.redis.run(scriptEnqueue, fenceBase, 1, id, "spec", "", "c")
	known := w.jobs[id] != nil
	if taken := asNumber(asList(reply[0])[0]) == verdictTaken; taken == known {
		w.failf("%s was taken in: %v; it was known: %v", id, taken, known)
	}
	if !known {
		w.jobs[id] = &fenceJob{id: id, since: w.back}
	}
}

func (w *fenceWorld) remove(which int) {
	id := fmt.Sprint("job-", which)
	reply := w.redis.run(scriptDelete, fenceBase, id, 0)
	if was := asNumber(reply[0]) == 1; was != (w.jobs[id] != nil) {
		w.failf("%s was there: %v", id, was)
	}
	delete(w.jobs, id)
}

// reap takes over from a worker.
func (w *fenceWorld) reap(name, beat string) {
	last, _ := w.redis.mini.ZScore(fenceBase+"workers", name)
	reply := w.redis.run(scriptReap, fenceBase, name, beat, "suffix\n", 1)
	if asNumber(reply[0]) < 0 {
		return
	}
	if shown := text(int64(last)); last != 0 && beat != "" && shown != beat {
		w.failf("%s is taken for gone as of %s, and has shown itself at %s", name, beat, shown)
	}
	for _, j := range w.jobs {
		if j.runs != nil && j.runs.by == name {
			j.runs = nil
		}
	}
}

// listen reads as a listener does.
func (w *fenceWorld) listen(p *fenceWorker, lost bool) {
	for i, line := range lineNames {
		reply, err := w.redis.do("XREADGROUP", "GROUP", groupName, p.name, "COUNT", "1", "STREAMS", fenceBase+"wait:"+line, ">")
		if err != nil || reply == nil || lost {
			continue // without a group, or empty
		}
		read := asList(asList(asList(asList(reply)[0])[1])[0])
		e := entry{line: int64(i + lineAgain), id: asWord(read[0]), job: JobID(asWord(asList(read[1])[1]))}
		p.known[e.place()] = true
		p.held = append(p.held, e)
	}
}

// asWord reads a text as miniredis answers it.
func asWord(part any) string { return fmt.Sprintf("%s", part) }

// audit finds what was delivered by answers that were lost.
func (w *fenceWorld) audit(p *fenceWorker) {
	found := w.redis.run(scriptMine, fenceBase, p.name, 100)
	for ; len(found) > 1; found = found[2:] {
		at := place{asNumber(found[0]), asText(found[1])}
		if p.known[at] {
			continue
		}
		e := entry{line: at.line, id: at.id}
		reply, err := w.redis.do("XRANGE", fenceBase+"wait:"+lineNames[at.line-lineAgain], at.id, at.id)
		if parts := asList(reply); err == nil && len(parts) > 0 {
			e.job = JobID(asWord(asList(asList(parts[0])[1])[1]))
		}
		p.known[at] = true
		p.held = append(p.held, e)
	}
}

// giveBack gives back what was brought and not started, as far as its worker knows.
func (p *fenceWorker) giveBack(w *fenceWorld) {
	for _, e := range p.held {
		w.exchange(p, []*fenceWord{{kind: "g", entry: e}}, nil, 0, 0, false)
	}
	p.held = nil
}

// exchange is one round trip of a worker's.
func (w *fenceWorld) exchange(p *fenceWorker, words []*fenceWord, held []entry, want, starts int, lost bool) {
	args := []any{p.name, len(words)}
	for _, s := range words {
		args = append(append(args, s.kind, s.entry.line, s.entry.id, string(s.entry.job), s.token), s.parts...)
	}
	args = append(args, len(held))
	for _, e := range held {
		args = append(args, e.line, e.id, string(e.job))
	}
	reply := w.redis.run(scriptExchange, fenceBase, append(args, want, starts, 4, 1, want, 2, want, 3, want, 4, want)...)
	verdicts, taken := asList(reply[4]), asList(reply[5])
	for i, s := range words {
		w.judgeVerdict(p, s, verdicts[i])
		if lost {
			p.unanswered = append(p.unanswered, s)
		} else if s.kind != "b" {
			delete(p.known, s.entry.place())
		}
	}
	if lost {
		p.held = append(p.held, held...)
	} else {
		for _, e := range held {
			delete(p.known, e.place())
		}
	}
	for ; len(taken) >= jobParts; taken = taken[jobParts:] {
		a := &fenceAttempt{by: p.name, token: asNumber(taken[4]), heard: !lost,
			entry: entry{line: asNumber(taken[0]), id: asText(taken[1]), job: JobID(asText(taken[2]))}}
		w.judgeStart(a)
		if !lost {
			p.known[a.entry.place()] = true
			p.running = append(p.running, a)
		}
	}
}
