package worker

import (
	"strconv"
	"testing"
	"time"
)

// exchanged carries one exchange out as worker w: it settles nothing, holds so many entries, wants one job where it holds none, and
// begins so many of them. It returns the job that it started.
func exchanged(t *testing.T, n *node, q *Queue, starts int, held ...any) []any {
	t.Helper()
	args := append([]any{"w", 0, len(held) / 3}, held...)
	args = append(args, 1-len(held)/3, starts, 2, lineAgain, 1, lineNormal, 1)
	reply, err := n.jobs.store.list(t.Context(), 7, scriptExchange, q.base, args...)
	if err != nil || len(asList(reply[5])) != jobParts {
		t.Fatalf("%v, %v; want one job", reply, err)
	}
	return asList(reply[5])
}

// known tells what is known of a job.
func known(t *testing.T, q *Queue, id JobID) *JobInfo {
	t.Helper()
	job, err := q.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// Where the clock of Redis goes back (another server may have taken over), tokens grow all the same, attempts count, and none ended before
// it began.
func TestClockGoesBack(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	id := enqueue(t, q, 1)
	token := time.Now().Add(time.Hour).UnixMicro() // of a start before that
	n.client().HSet(t.Context(), q.base+"job:"+string(id), "t", strconv.FormatInt(token, 10))
	for attempt := range int64(3) {
		job := exchanged(t, n, q, 1)
		if asNumber(job[4]) <= token || asNumber(job[5]) != attempt+1 {
			t.Fatalf("token %v after %d at attempt %v, want attempt %d", job[4], token, job[5], attempt+1)
		}
		token = asNumber(job[4])
		if attempt == 0 {
			_, err := n.jobs.store.list(t.Context(), 6, scriptExchange, q.base, "w", 1, "r", job[0], job[1], job[2], token, "0", "1",
				line("one", errTest), 0, 0, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
		} else {
			takeOver(t, n, "w")
		}
		if got := known(t, q, id); got.Attempt != int(attempt)+1 || len(got.Attempts) != got.Attempt {
			t.Fatalf("%+v; want %d attempts", got, attempt+1)
		}
	}
	for _, a := range known(t, q, id).Attempts {
		if a.Started.After(a.Ended) || time.Since(a.Started) > time.Minute {
			t.Errorf("%+v; want it begun just now, and ended no earlier", a)
		}
	}
}

// A job that was fetched ahead by an answer that never came, and begins when it is found, has begun: its worker's death counts.
func TestLostDeliveryOfWhatWasFetchedAhead(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	id := enqueue(t, q, 1)
	unheard := exchanged(t, n, q, 0)
	found := exchanged(t, n, q, 1, unheard[:3]...)
	if asNumber(found[4]) <= asNumber(unheard[4]) || asNumber(found[5]) != 1 {
		t.Fatalf("token %v after %v, attempt %v; want a later start of the first", found[4], unheard[4], found[5])
	}
	takeOver(t, n, "w")
	if job := known(t, q, id); job.Attempt != 1 || len(job.Attempts) != 1 {
		t.Errorf("%+v; want one attempt, which is named", job)
	}
}

// A job whose delivery was lost takes no place from itself where a limit says how many may run.
func TestLostDeliveryUnderALimit(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	if err := q.SetLimits(t.Context(), Limits{Running: 1}); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, 1)
	unheard := exchanged(t, n, q, 1)
	enqueue(t, q, 2)
	if found := exchanged(t, n, q, 1, unheard[:3]...); asText(found[2]) != asText(unheard[2]) {
		t.Errorf("%v was started, want %v", found[2], unheard[2])
	}
	taken, err := n.jobs.store.list(t.Context(), 6, scriptExchange, q.base, "v", 0, 0, 1, 1, 1, lineNormal, 1)
	if err != nil || len(asList(taken[5])) != 0 {
		t.Errorf("%v, %v; want nothing: one runs", taken, err)
	}
}
