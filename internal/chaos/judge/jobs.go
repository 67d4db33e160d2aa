package judge

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

const (
	// mostAttempts is how many a job has before it dies of them.
	mostAttempts = 5
	// lying is how long the result of a job that somebody awaits lies in Redis.
	lying = 10 * time.Second
)

// judgeJobs looks at the jobs.
func judgeJobs(w *world, v *Verdict) {
	disturbed := w.disturbances()
	for _, key := range w.jobs.keys {
		t := w.jobs.all[key]
		w.judgeEnds(v, JobsEnd, t)
		w.judgeToldOfJob(v, t)
		w.judgeCalmJob(v, t, disturbed)
		w.judgeCalmStarts(v, t, disturbed)
	}
	for _, id := range slices.Sorted(maps.Keys(w.jobs.jobs)) {
		j := w.jobs.jobs[id]
		w.judgeKept(v, j)
		w.judgeFence(v, j)
		w.judgeAlone(v, j)
		w.judgeTakeover(v, j)
	}
}

// flushed reports whether Redis was emptied after it had the job: then it may know nothing of it, also of what it was.
func (j *jobStory) flushed() bool { return j.kept != nil && j.kept.Job.Flushed }

// lost reports whether Redis was emptied before the job was over: then nothing is promised.
func (j *jobStory) lost() bool { return j.kept != nil && j.kept.Job.Lost }

// evidence is where the job was handed over, and what Redis has of it.
func (j *jobStory) evidence() (all []history.Event) {
	for _, t := range j.tasks {
		all = append(all, t.evidence()...)
	}
	if j.kept != nil {
		all = append(all, *j.kept)
	}
	for _, u := range j.turns {
		all = append(all, u.begin)
	}
	return all
}

// judgeToldOfJob holds that what a clerk was told of a job is so.
func (w *world) judgeToldOfJob(v *Verdict, t *task) {
	o := t.outcome()
	if o == nil {
		return
	}
	v.examine(Results)
	if wrong := t.untrue(o, w.jobs.jobs[t.ID]); wrong != "" {
		evidence := t.evidence()
		for _, u := range t.turns {
			evidence = append(evidence, u.begin)
		}
		v.violatef(Results, evidence, "%s %s", t.name(), wrong)
	}
}

// untrue says what is not so of what a clerk was told of a job, whose story may be unknown; empty: all is.
func (t *task) untrue(o *history.Outcome, j *jobStory) string {
	switch o.Code {
	case "":
		if t.Await {
			return t.untrueResult(o)
		}
	case history.Maybe:
	case history.Refused:
		if (j == nil || j.refused()) && (t.First == 0 && len(t.turns) > 0 || j != nil && j.kept != nil) {
			return "was refused, and Redis had it"
		}
	case history.Died:
		if j == nil || j.kept == nil || j.kept.Job.Dead == 0 {
			return "is said to be dead, and is not"
		}
	case history.Gone:
		left := slices.ContainsFunc(t.turns, func(u *turn) bool { return u.effect() && duration(u.life.to, t.ends[0].At) >= lying })
		if (j == nil || !j.flushed()) && !left {
			return "is said to be gone, and was not"
		}
	case history.WaitOver:
		if t.ends[0].At < t.Deadline {
			return "was no longer waited for, and there was time left"
		}
	default:
		return "ended as no job may: " + o.Code + ", " + o.Detail
	}
	return ""
}

// untrueResult says what is not so of a result.
func (t *task) untrueResult(o *history.Outcome) string {
	if o.Answer == nil || *o.Answer != t.Key {
		return fmt.Sprintf("got the result of %+v", o.Answer)
	}
	if !slices.ContainsFunc(t.turns, func(u *turn) bool {
		return u.effect() && u.life.to <= t.ends[0].At && u.Job == o.ID && (o.Node == "" || o.Node == u.actor && o.Attempt == u.Attempt)
	}) {
		return fmt.Sprintf("got a result, and no attempt like %+v had its effect", *o)
	}
	return ""
}

// refused reports whether everybody who handed the job over was told that it was not taken in.
func (j *jobStory) refused() bool {
	return !slices.ContainsFunc(j.tasks, func(t *task) bool { return t.outcome() == nil || t.outcome().Code != history.Refused })
}

// effect reports whether the attempt did what the job is for.
func (u *turn) effect() bool { return u.over && u.text == "" }

// judgeCalmJob holds that in quiet times jobs are taken in, and those awaited end as their manner has it.
func (w *world) judgeCalmJob(v *Verdict, t *task, d *disturbance) {
	if !w.undisturbed(t, d) {
		return
	}
	want := ""
	if t.Await && t.Manner == history.Bad {
		want = history.Died
	}
	v.examine(CalmJobs)
	switch {
	case t.outcome().Code == want:
	case w.short(t):
		v.excuse(CalmJobs)
	default:
		v.violatef(CalmJobs, t.evidence(), "%s ended as %q, and nothing was wrong: %s", t.name(), t.outcome().Code, t.outcome().Detail)
	}
}

// judgeKept holds that a job which was taken in is done, exactly once, or dead with a reason.
func (w *world) judgeKept(v *Verdict, j *jobStory) {
	if j.kept == nil {
		if i := slices.IndexFunc(j.tasks, (*task).takenIn); i >= 0 {
			v.examine(JobsKept)
			v.violatef(JobsKept, j.evidence(), "%s (%s) was taken in, and Redis never had it", j.id, j.tasks[i].name())
		}
		return
	}
	v.examine(JobsKept)
	k := j.kept.Job
	if k.Lost {
		v.excuse(JobsKept)
		return
	}
	switch {
	case k.Done+k.Dead == 0:
		v.violatef(JobsKept, j.evidence(), "%s was taken in, and is neither done nor dead", j.id)
	case k.Dead > 0 && (k.Code == "" || !j.worn() && !w.askedToDie(j)):
		v.violatef(JobsKept, j.evidence(), "%s is dead (%q) after %d starts, without a reason", j.id, k.Code, len(k.Tokens))
	}
	if v.examine(DoneOnce); k.TakenIn == 1 && k.Done+k.Dead == 1 || k.Done+k.Dead == 0 {
		return
	}
	if k.Flushed && len(j.tasks) > 1 { // it was taken in again after Redis had forgotten it
		v.excuse(DoneOnce)
		return
	}
	v.violatef(DoneOnce, j.evidence(), "%s was taken in %d times, done %d times, and died %d times", j.id, k.TakenIn, k.Done, k.Dead)
}

// worn reports whether the job has had all of its attempts. Not each start is one: a worker that gives a job back has not tried it.
func (j *jobStory) worn() bool {
	starts := j.kept.Job.Tokens
	if len(starts) < mostAttempts {
		return false
	}
	i := slices.IndexFunc(j.turns, func(u *turn) bool { return u.Token == starts[len(starts)-1] })
	return i < 0 || j.turns[i].Attempt >= mostAttempts // its worker may have died before it called the handler
}

// askedToDie reports whether the job is one that its handler refuses.
func (w *world) askedToDie(j *jobStory) bool {
	return slices.ContainsFunc(j.turns, func(u *turn) bool {
		t := w.jobs.all[u.Key]
		return t != nil && t.Manner == history.Bad
	})
}

// takenIn reports whether somebody was told that Redis has the job.
func (t *task) takenIn() bool {
	o := t.outcome()
	return o != nil && (o.Code == "" || o.Code == history.Died || o.Code == history.WaitOver)
}
