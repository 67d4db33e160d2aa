package judge

import (
	"slices"
	"strconv"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// promptly is how soon what is asked starts in a quiet time.
const promptly = time.Second

// A task is the call of a method, or a job that somebody handed over, with everything that came of it.
type task struct {
	history.Task
	begin history.Event
	ends  []history.Event
	turns []*turn // of handlers, in the order in which they began
}

func (t *task) name() string { return t.Manner + " " + t.Publisher + " " + strconv.Itoa(t.Number) }

// outcome is what its asker was told first, or nil.
func (t *task) outcome() *history.Outcome {
	if len(t.ends) == 0 {
		return nil
	}
	return t.ends[0].Outcome
}

// span is from the beginning to the end, or without end.
func (t *task) span() span {
	if len(t.ends) == 0 {
		return span{t.begin.At, forever}
	}
	return span{t.begin.At, t.ends[0].At}
}

// evidence is where it begins and ends.
func (t *task) evidence() []history.Event { return append([]history.Event{t.begin}, t.ends...) }

// A turn is one time that a handler had a task.
type turn struct {
	history.Turn
	actor string
	begin history.Event
	life  span   // until the handler returned, or its process ended
	over  bool   // the handler returned
	text  string // why without effect
}

// A jobStory is a job by its ID.
type jobStory struct {
	id    string
	tasks []*task // that handed it over
	turns []*turn // by token
	kept  *history.Event
}

// Errands are all tasks of one sort.
type errands struct {
	all   map[history.Key]*task
	keys  []history.Key // in the order in which they began
	turns map[string]*turn
	jobs  map[string]*jobStory
}

func newErrands() *errands {
	return &errands{all: make(map[history.Key]*task), turns: make(map[string]*turn), jobs: make(map[string]*jobStory)}
}

// takeTask takes what is about calls of methods or about jobs, and reports whether it was.
func (w *world) takeTask(e history.Event) bool {
	switch e.Kind {
	case history.Called:
		w.methods.begin(e)
	case history.Handed:
		w.jobs.begin(e)
	case history.Returned:
		w.methods.end(w, e)
	case history.Taken:
		w.jobs.end(w, e)
	case history.Ran:
		w.methods.turn(w, e)
	case history.Started:
		w.jobs.turn(w, e)
	case history.RanOut:
		w.methods.turned(e)
	case history.Finished:
		w.jobs.turned(e)
	case history.Kept:
		w.jobs.job(e.Job.ID).kept = &e
	default:
		return false
	}
	return true
}

func (r *errands) begin(e history.Event) {
	t := &task{Task: *e.Task, begin: e}
	r.all[t.Key] = t
	r.keys = append(r.keys, t.Key)
	if t.ID != "" {
		j := r.job(t.ID)
		j.tasks = append(j.tasks, t)
	}
}

func (r *errands) job(id string) *jobStory {
	if r.jobs[id] == nil {
		r.jobs[id] = &jobStory{id: id}
	}
	return r.jobs[id]
}

func (r *errands) end(w *world, e history.Event) {
	t := r.all[e.Outcome.Key]
	if t == nil {
		w.stray = append(w.stray, e)
		return
	}
	t.ends = append(t.ends, e)
	if id := e.Outcome.ID; id != "" && t.ID == "" {
		t.ID = id
		j := r.job(id)
		j.tasks = append(j.tasks, t)
	}
}

func turnName(actor string, number int) string { return actor + " " + strconv.Itoa(number) }

func (r *errands) turn(w *world, e history.Event) {
	u := &turn{Turn: *e.Turn, actor: e.Actor, begin: e, life: span{e.At, forever}}
	r.turns[turnName(e.Actor, u.Number)] = u
	t := r.all[u.Key]
	if t == nil {
		w.stray = append(w.stray, e)
		return
	}
	t.turns = append(t.turns, u)
	if u.Job != "" {
		j := r.job(u.Job)
		at, _ := slices.BinarySearchFunc(j.turns, u.Token, func(o *turn, token uint64) int { return compare(o.Token, token) })
		j.turns = slices.Insert(j.turns, at, u)
	}
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (r *errands) turned(e history.Event) {
	if u := r.turns[turnName(e.Actor, e.Turn.Number)]; u != nil {
		u.life.to, u.over, u.text = e.At, true, e.Text
	}
}

// endTurns ends the turns of processes that have ended.
func (w *world) endTurns() {
	left := make(map[string]int64)
	for _, e := range w.left {
		left[e.Actor] = e.At
	}
	for _, r := range []*errands{w.methods, w.jobs} {
		for _, u := range r.turns {
			if at, gone := left[u.actor]; gone && !u.over {
				u.life.to = at
			}
		}
	}
}

// judgeEnds holds that each task ends exactly once for its asker, in time.
func (w *world) judgeEnds(v *Verdict, r Rule, t *task) {
	v.examine(r)
	if len(t.ends) != 1 {
		if len(t.ends) == 0 && w.killed(t) {
			v.excuse(r)
			return
		}
		v.violatef(r, t.evidence(), "%s ended %d times", t.name(), len(t.ends))
		return
	}
	late := duration(t.GivenUp(), t.ends[0].At)
	excused := w.stalled(span{t.GivenUp(), t.ends[0].At}, t.Publisher)
	v.measure(r, late-excused)
	switch {
	case late > grace+excused:
		v.violatef(r, t.evidence(), "%s ended %v late, with stalls of %v", t.name(), late, excused)
	case late > grace:
		v.excuse(r)
	}
}

// killed reports whether the asker was killed before the task had to end.
func (w *world) killed(t *task) bool {
	return slices.ContainsFunc(w.faults, func(f fault) bool {
		last := t.GivenUp() + (grace + w.stalled(span{t.begin.At, f.from}, t.Publisher)).Nanoseconds()
		return f.Does == history.Kills && f.touches(t.Publisher) && f.to >= t.begin.At && f.from <= last
	})
}

// undisturbed reports whether nothing was wrong from the beginning of a task to its end. Who serves others may come and go: it drains.
func (w *world) undisturbed(t *task, d *disturbance) bool {
	return len(t.ends) > 0 && len(t.span().of(d.times)) == 0
}

// slowed reports whether one of the processes stood still for much of a time in a span: the machine had no time for it.
func (w *world) slowed(s span, of time.Duration) bool {
	for actor := range w.stalls {
		if w.stalled(s, actor)*hindrance >= of {
			return true
		}
	}
	return false
}

// short reports whether the machine took much of the time that the asker gives it from a task. How soon it failed does not count: what
// fails at once has not failed of a moment's stall.
func (w *world) short(t *task) bool { return w.slowed(t.span(), duration(t.begin.At, t.GivenUp())) }

// judgeCalmStart holds that in quiet times a task starts soon after it is due.
func (w *world) judgeCalmStart(v *Verdict, r Rule, t *task, due int64, d *disturbance) {
	soon := lengthened(span{t.begin.At, due}, promptly)
	if len(soon.of(d.times)) > 0 {
		return
	}
	v.examine(r)
	late := promptly
	if len(t.turns) > 0 {
		late = duration(due, t.turns[0].life.from)
	}
	switch excused := w.anyStalled(soon); {
	case late < promptly:
	case late < promptly+excused && len(t.turns) > 0, excused*hindrance >= promptly:
		v.excuse(r)
	default:
		v.violatef(r, t.evidence(), "%s had not started %v after it was due, and nothing was wrong", t.name(), promptly)
	}
}
