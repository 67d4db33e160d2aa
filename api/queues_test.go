package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/worker"
)

var errBroken = errors.New("the press is broken")

// openJobs attaches a node to the queues of the test.
func openJobs(t *testing.T, b *bus.Bus) *worker.Jobs {
	t.Helper()
	jobs, err := worker.Open(t.Context(), b, redistest.Shared(t).URL(), &worker.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = jobs.Close() })
	return jobs
}

// work has the other node work at a queue until the test ends. A job "fail" fails, "refuse" is refused with a code, "hang" runs until its
// context ends; any other is its own result.
func (r *rig) work(queue string) {
	r.t.Helper()
	pool := openJobs(r.t, r.there).Pool(&worker.PoolOptions{Drain: -1})
	worker.Handle(pool, queue, func(ctx context.Context, job string) (string, error) {
		switch job {
		case "fail":
			return "", worker.RetryAfter(time.Millisecond, errBroken)
		case "refuse":
			return "", worker.Reject(&bus.Rejection{Code: "no_paper", Message: "out of paper"})
		case "hang":
			<-ctx.Done()
			return "", context.Cause(ctx)
		}
		return job, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	group := run.New(context.Background())
	group.Go(func() {
		if err := pool.Run(ctx); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(func() {
		cancel()
		group.Stop()
		group.Wait()
	})
}

// enqueued returns the ID of a job that has to be taken in.
func (r *rig) enqueued(queue, body string) string {
	r.t.Helper()
	a := r.post("/v1/queues/"+queue+"/jobs", body)
	var job struct{ ID string }
	a.decode(r.t, &job)
	if a.status != http.StatusAccepted || job.ID == "" {
		r.t.Fatalf("%d %s", a.status, a.body)
	}
	return job.ID
}

// state is the state that a job is in, or the code of the error.
func (r *rig) state(queue, id string) string {
	r.t.Helper()
	a := r.call(http.MethodGet, "/v1/queues/"+queue+"/jobs/"+id, "")
	var job struct {
		State string
		Error struct{ Code string }
	}
	a.decode(r.t, &job)
	return job.State + job.Error.Code
}

// unfinished checks that the answer tells of a job, with the code and each of the words.
func (a *answer) unfinished(t *testing.T, id string, status int, code string, words ...string) {
	t.Helper()
	a.failed(t, status, code, words...)
	var u struct{ ID string }
	if a.decode(t, &u); u.ID == "" || id != "" && u.ID != id {
		t.Errorf("tells of job %q, want %q: %s", u.ID, id, a.body)
	}
}

func TestEnqueueAndAwait(t *testing.T) {
	r := newRig(t, nil)
	r.work("print")
	a := r.post("/v1/queues/print/jobs?wait_ms=20000", `{"data":"page 1"}`)
	var got struct {
		ID, Result, Worker string
		Attempt            int
	}
	a.decode(t, &got)
	if a.status != http.StatusOK || got.ID == "" || got.Result != "page 1" || got.Worker != "there" || got.Attempt != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
	all := r.call(http.MethodGet, "/v1/queues", "")
	one := r.call(http.MethodGet, "/v1/queues/print", "")
	var queues struct {
		Queues []struct {
			Name          string
			Done, Workers int
		}
	}
	all.decode(t, &queues)
	if len(queues.Queues) != 1 || queues.Queues[0].Name != "print" || queues.Queues[0].Done != 1 || queues.Queues[0].Workers != 1 {
		t.Errorf("%s", all.body)
	}
	if one.status != http.StatusOK || !strings.Contains(string(one.body), `"done":1`) {
		t.Errorf("%d %s", one.status, one.body)
	}
}

// Why an awaited job has no result is told by code, with its ID.
func TestAwaitInVain(t *testing.T) {
	r := newRig(t, nil)
	r.work("print")
	const await = "/v1/queues/print/jobs?wait_ms=20000"
	a := r.post(await, `{"data":"refuse","id":"order 66"}`)
	a.unfinished(t, "order 66", http.StatusUnprocessableEntity, "no_paper", "order 66", "out of paper", "there")
	a = r.post(await, `{"data":"fail","max_attempts":2}`)
	a.unfinished(t, "", http.StatusUnprocessableEntity, "dead", "attempt 2", "broken")
	a = r.post(await, `{"data":7}`)
	a.unfinished(t, "", http.StatusUnprocessableEntity, "dead")
	a = r.post("/v1/queues/print/jobs?wait_ms=50", `{"data":"hang","id":"h"}`)
	a.unfinished(t, "h", http.StatusGatewayTimeout, "timeout", "goes on")
	eventually(t, "the job that nobody awaits any more runs", func() bool { return r.state("print", "h") == "running" })
	group, answers := run.New(t.Context()), make(chan answer, 1)
	group.Go(func() { answers <- r.call(http.MethodGet, "/v1/queues/print/jobs/h/result?wait_ms=20000", "") })
	deleted := r.call(http.MethodDelete, "/v1/queues/print/jobs/h", "")
	if deleted.status != http.StatusAccepted {
		t.Errorf("%d %s", deleted.status, deleted.body)
	}
	a = receive(t, "the answer", answers)
	if a.status != http.StatusNotFound { // it may have been deleted before anybody could await it
		a.unfinished(t, "h", http.StatusGone, "deleted")
	}
	group.Stop()
	group.Wait()
}

func TestUnique(t *testing.T) {
	r := newRig(t, nil)
	first := r.enqueued("print", `{"data":1,"unique":"k"}`)
	a := r.post("/v1/queues/print/jobs", `{"data":2,"unique":"k"}`)
	a.unfinished(t, first, http.StatusConflict, "duplicate", "unique", `"k"`, first)
	a = r.post("/v1/queues/print/jobs?wait_ms=1000", `{"data":2,"unique":"k"}`)
	a.unfinished(t, first, http.StatusConflict, "duplicate")
	r.enqueued("print", `{"data":null,"unique":"other","unique_ms":60000}`)
}

// The same ID, or Idempotency-Key, again is one job; its result is read later by the ID.
func TestResultByID(t *testing.T) {
	r := newRig(t, nil)
	const jobs = "/v1/queues/print/jobs"
	chosen := `{"data":"a","id":"a b","keep_ms":60000,"priority":"high","time_limit_ms":5000,"start_within_ms":60000}`
	if id := r.enqueued("print", chosen); id != "a b" {
		t.Errorf("the ID became %q", id)
	}
	keyed := header{"Idempotency-Key": "order 7"}
	once, again := r.post(jobs, `{"data":"b"}`, keyed), r.post(jobs, `{"data":"b"}`, keyed)
	if once.status != http.StatusAccepted || !bytes.Equal(once.body, again.body) {
		t.Errorf("%s, then %s", once.body, again.body)
	}
	a := r.call(http.MethodGet, jobs+"/a%20b/result", "")
	if a.status != http.StatusAccepted {
		t.Errorf("before it was started: %d %s", a.status, a.body)
	}
	if s := r.state("print", "a%20b"); s != "waiting" {
		t.Errorf("the job is %q", s)
	}
	r.work("print")
	for range 2 {
		a = r.call(http.MethodGet, jobs+"/a%20b/result?wait_ms=20000", "")
		if a.status != http.StatusOK || !strings.Contains(string(a.body), `"result":"a"`) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	a = r.call(http.MethodGet, jobs+"/a%20b/result", "")
	if a.status != http.StatusOK || r.state("print", "a%20b") != "done" {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = r.post(jobs+"?wait_ms=20000", `{"data":"b"}`, keyed) // joins
	if a.status != http.StatusOK || !strings.Contains(string(a.body), `"result":"b"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, target := range []string{jobs + "/none", jobs + "/none/result", jobs + "/none/result?wait_ms=100"} {
		a = r.call(http.MethodGet, target, "")
		a.failed(t, http.StatusNotFound, "not_found", "no such job")
	}
	a = r.call(http.MethodDelete, jobs+"/none", "")
	a.failed(t, http.StatusNotFound, "not_found", "no such job")
}

func TestPauseAndDelay(t *testing.T) {
	r := newRig(t, nil)
	if a := r.post("/v1/queues/print/pause", ""); a.status != http.StatusAccepted || !strings.Contains(string(a.body), `"paused":true`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	r.work("print")
	id := r.enqueued("print", `{"data":"x"}`)
	if s := r.state("print", r.enqueued("print", `{"data":"later","delay_ms":600000}`)); s != "delayed" {
		t.Errorf("a delayed job is %q", s)
	}
	if a := r.call(http.MethodGet, "/v1/queues/print", ""); !strings.Contains(string(a.body), `"paused":true`) {
		t.Errorf("%s", a.body)
	}
	if s := r.state("print", id); s != "waiting" {
		t.Errorf("in a paused queue the job is %q", s)
	}
	if a := r.post("/v1/queues/print/resume", ""); a.status != http.StatusAccepted {
		t.Errorf("%d %s", a.status, a.body)
	}
	eventually(t, "the job is done, and forgotten", func() bool { return r.state("print", id) == "not_found" })
}

// A deadPage is what the tests look at of dead letters.
type deadPage struct {
	Jobs []struct {
		ID       string
		Data     json.RawMessage
		Attempts []struct{ Worker, Started, Error string }
	}
	Total int
}

func (r *rig) deadLetters(query string) deadPage {
	r.t.Helper()
	a := r.call(http.MethodGet, "/v1/queues/print/dead"+query, "")
	var page deadPage
	if a.decode(r.t, &page); a.status != http.StatusOK {
		r.t.Errorf("%d %s", a.status, a.body)
	}
	return page
}

func TestDeadLetters(t *testing.T) {
	r := newRig(t, nil)
	if page := r.deadLetters(""); page.Jobs == nil || page.Total != 0 {
		t.Errorf("%+v", page)
	}
	r.work("print")
	ids := make([]string, 4)
	for i := range ids {
		ids[i] = r.enqueued("print", `{"data":"fail","max_attempts":1}`)
		eventually(t, "the job is dead", func() bool { return r.state("print", ids[i]) == "dead" })
	}
	page := r.deadLetters("?limit=1&offset=3")
	if page.Total != 4 || len(page.Jobs) != 1 || page.Jobs[0].ID != ids[0] || string(page.Jobs[0].Data) != `"fail"` {
		t.Fatalf("%+v", page)
	}
	if at := page.Jobs[0].Attempts; len(at) != 1 || at[0].Worker != "there" || at[0].Error != errBroken.Error() {
		t.Errorf("%+v", at)
	} else if _, err := time.Parse(time.RFC3339, at[0].Started); err != nil {
		t.Error(err)
	}
	r.post("/v1/queues/print/pause", "")
	const dead = "/v1/queues/print/dead/"
	if a := r.post(dead+ids[0]+"/retry", ""); a.status != http.StatusAccepted || r.state("print", ids[0]) != "waiting" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := r.call(http.MethodDelete, dead+ids[1], ""); a.status != http.StatusAccepted || r.state("print", ids[1]) != "not_found" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, a := range []answer{r.post(dead+ids[0]+"/retry", ""), r.call(http.MethodDelete, dead+ids[0], "")} {
		a.failed(t, http.StatusNotFound, "not_found", "no such job")
	}
	if a := r.post("/v1/queues/print/retry", ""); a.status != http.StatusAccepted || !sameJSON(t, a.body, []byte(`{"count":2}`)) {
		t.Errorf("%d %s", a.status, a.body)
	}
	r.post("/v1/queues/print/resume", "")
	eventually(t, "all died again", func() bool { return r.deadLetters("").Total == 3 })
	a := r.call(http.MethodDelete, "/v1/queues/print/dead", "")
	if a.status != http.StatusAccepted || !sameJSON(t, a.body, []byte(`{"count":3}`)) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if page := r.deadLetters(""); page.Total != 0 {
		t.Errorf("%+v", page)
	}
}
