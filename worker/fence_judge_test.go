package worker

import "time"

// judgeStart holds that a job is handed out to one worker at a time, with a token that has grown. The worker may have it already where it
// did not hear of it.
func (w *fenceWorld) judgeStart(a *fenceAttempt) {
	j := w.jobs[string(a.entry.job)]
	switch {
	case j == nil || j.over:
		w.failf("%s is handed to %s, and there is no such job", a.entry.job, a.by)
		return
	case j.runs != nil && (j.runs.by != a.by || j.runs.heard):
		w.failf("%s is handed to %s with token %d, and %s has it with token %d", j.id, a.by, a.token, j.runs.by, j.runs.token)
	case a.token <= j.last:
		w.failf("%s is handed to %s with token %d, and had %d before", j.id, a.by, a.token, j.last)
	}
	a.job, j.runs, j.last = j, a, a.token
}

// judgeVerdict holds that what a worker says of an attempt is accepted where, and only where, it has the job by that attempt.
func (w *fenceWorld) judgeVerdict(p *fenceWorker, s *fenceWord, verdict any) {
	if s.kind == "g" { // which it never heard of, if it was started
		if j := w.jobs[string(s.entry.job)]; asNumber(verdict) == settledAccepted && j != nil && j.runs != nil && j.runs.by == p.name {
			j.runs = nil
		}
		return
	}
	_, told := verdict.(string)
	accepted := told || asNumber(verdict) == settledAccepted
	j := s.attempt.job
	has := w.jobs[j.id] == j && j.runs == s.attempt
	switch before := !told && asNumber(verdict) == settledBefore; {
	case accepted != has:
		w.failf("%s of %s by %s with token %d was accepted: %v; it has the job: %v", s.kind, j.id, p.name, s.token, accepted, has)
	case before && !s.accepted && s.kind != "b": // a note, after which nothing is done
		w.failf("%s of %s by %s with token %d was accepted before, says Redis, and was not", s.kind, j.id, p.name, s.token)
	}
	if !accepted || s.kind == "b" {
		return
	}
	s.accepted, j.runs, j.over = true, nil, s.kind != "r"
	if s.kind == "d" {
		if j.done++; j.done > 1 {
			w.failf("%s was completed %d times", j.id, j.done)
		}
		if s.parts[0] == 0 {
			delete(w.jobs, j.id)
		}
	}
}

// finish has all workers be taken for gone, and one that does all that is left. Then nothing is.
func (w *fenceWorld) finish() {
	heir := newFenceWorker(0)
	w.advance(10 * time.Minute)
	w.audit(heir) // which makes those known that have something
	names, _ := w.redis.mini.ZMembers(fenceBase + "workers")
	for _, name := range names {
		w.reap(name, "")
	}
	for range 10 {
		w.redis.run(scriptTend, fenceBase, heir.name)
		w.exchange(heir, nil, nil, 10, 10, false)
		var words []*fenceWord
		for _, a := range heir.running {
			words = append(words, fenceWordOf(fenceStep{What: fenceDone}, a))
		}
		heir.running = nil
		w.exchange(heir, words, nil, 0, 0, false)
	}
	for _, j := range w.jobs {
		if !j.over {
			w.failf("%s was taken in, and is lost", j.id)
		}
	}
	if left := w.redis.run(scriptInfo, fenceBase); asNumber(left[1])+asNumber(left[2])+asNumber(left[3]) != 0 {
		w.failf("%v are left waiting, running and delayed", left[1:4])
	}
}
