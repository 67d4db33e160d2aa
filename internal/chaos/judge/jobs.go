package judge

import (
	"maps"
	"slices"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

const (
	// mostAttempts is how many a job has before it dies of them.
	mostAttempts = 5
	// takeover is how soon the jobs of a worker that was killed start elsewhere.
	takeover = 2 * time.Second
	// handover is how long after its context's end a handler's own word of it may come.
	handover = 50 * time.Millisecond
)

// judgeJobs looks at the jobs.
func judgeJobs(w *world, v *Verdict) {
	disturbed := w.disturbances()
	for _, key := range w.jobs.keys {
		t := w.jobs.all[key]
		w.judgeEnds(v, JobsEnd, t)
		w.judgeToldOfJob(v, t)
		w.judgeCalmJob(v, t, disturbed)
	}
	for _, id := range slices.Sorted(maps.Keys(w.jobs.jobs)) {
		j := w.jobs.jobs[id]
		w.judgeKept(v, j)
		w.judgeFence(v, j)
		w.judgeAlone(v, j)
		w.judgeTakeover(v, j)
	}
}

// flushed reports whether Redis was emptied during the job's life: then nothing is promised.
func (j *jobStory) flushed() bool { return j.kept != nil && j.kept.Job.Flushed }

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
	j := w.jobs.jobs[t.ID]
	v.examine(Results)
	switch {
	case o.Code == history.Refused && t.First == 0 && (j == nil || len(j.tasks) == 1) && len(t.turns) > 0:
		v.violatef(Results, append(t.evidence(), t.turns[0].begin), "%s was refused, and ran", t.name())
	case o.Code == "" && t.Await && (o.Answer == nil || *o.Answer != t.Key):
		v.violatef(Results, t.evidence(), "%s got the result of %+v", t.name(), o.Answer)
	case o.Code == "" && t.Await && !slices.ContainsFunc(t.turns, func(u *turn) bool { return u.effect() && u.life.to <= t.ends[0].At }):
		v.violatef(Results, t.evidence(), "%s got a result, and no attempt had its effect", t.name())
	case o.Code == history.Died && (j == nil || j.kept == nil || j.kept.Job.Dead == 0):
		v.violatef(Results, t.evidence(), "%s is said to be dead, and is not", t.name())
	case o.Code == history.Gone && j != nil && !j.flushed() && !w.touched(t.span(), machine, t.Publisher):
		v.violatef(Results, t.evidence(), "%s is said to be gone, and was not", t.name())
	}
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
	case w.slowed(t.span()):
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
	v.examine(DoneOnce)
	k := j.kept.Job
	if k.Flushed {
		v.excuse(JobsKept)
		return
	}
	reason := len(k.Tokens) >= mostAttempts || w.askedToDie(j)
	switch {
	case k.Done+k.Dead == 0:
		v.violatef(JobsKept, j.evidence(), "%s was taken in, and is neither done nor dead", j.id)
	case k.Dead > 0 && (k.Code == "" || !reason):
		v.violatef(JobsKept, j.evidence(), "%s is dead (%q) after %d starts, without a reason", j.id, k.Code, len(k.Tokens))
	case k.TakenIn != 1 || k.Done+k.Dead > 1:
		v.violatef(DoneOnce, j.evidence(), "%s was taken in %d times, done %d times, and died %d times", j.id, k.TakenIn, k.Done, k.Dead)
	}
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

// judgeFence holds that starts have tokens that rise, and that who completed a job is who started it last, and did it.
func (w *world) judgeFence(v *Verdict, j *jobStory) {
	if j.kept == nil || j.flushed() || j.kept.Job.Done == 0 {
		return
	}
	k := j.kept.Job
	v.examine(Fenced)
	rising := slices.IsSorted(k.Tokens) && len(slices.Compact(slices.Clone(k.Tokens))) == len(k.Tokens)
	if !rising || len(k.Tokens) == 0 || k.Tokens[len(k.Tokens)-1] != k.DoneBy {
		v.violatef(Fenced, j.evidence(), "%s was completed with token %d, and had the starts %v", j.id, k.DoneBy, k.Tokens)
		return
	}
	if !slices.ContainsFunc(j.turns, func(u *turn) bool { return u.Token == k.DoneBy && u.effect() }) {
		v.violatef(Fenced, j.evidence(), "%s was completed by a start that had no effect", j.id)
	}
}

// judgeAlone holds that the handler of an attempt has ended before the next one starts elsewhere, unless its process stood still.
func (w *world) judgeAlone(v *Verdict, j *jobStory) {
	for i := 1; i < len(j.turns); i++ {
		before, now := j.turns[i-1], j.turns[i]
		v.examine(Alone)
		overlap := duration(now.life.from, before.life.to)
		if overlap <= handover {
			continue
		}
		v.excuse(Alone)
		if stopped := w.stalled(before.life, before.actor); overlap > handover+stopped {
			v.violatef(Alone, j.evidence(), "%s ran at %s and at %s for %v, with stalls of %v", j.id, before.actor, now.actor, overlap,
				stopped)
		}
	}
}

// judgeTakeover holds that what a killed worker had in hand is started elsewhere soon.
func (w *world) judgeTakeover(v *Verdict, j *jobStory) {
	if j.flushed() {
		return
	}
	for i := range w.faults {
		f := &w.faults[i]
		if f.Does != history.Kills || !w.alone(f, takeover) {
			continue
		}
		for n, u := range j.turns {
			if !f.touches(u.actor) || u.over || u.life.from > f.from {
				continue
			}
			v.examine(TakenOver)
			took, excused := time.Duration(forever), time.Duration(0)
			if n+1 < len(j.turns) {
				next := j.turns[n+1]
				took = duration(f.from, next.life.from)
				excused = w.stalled(span{f.from, next.life.from}, next.actor, machine)
			}
			v.measure(TakenOver, took-excused)
			if took > takeover+excused {
				v.violatef(TakenOver, j.evidence(), "%s started elsewhere %v after %s was killed, with stalls of %v", j.id, took, u.actor,
					excused)
			}
		}
	}
}
