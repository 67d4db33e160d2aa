package acceptance

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A job and its result by command line and by HTTP, with a worker in a shell.
func TestEnqueueAndAwait(t *testing.T) {
	s := newShop(t)
	h := s.hire(t, "shout", "tr a-z A-Z", nil, "--name", "w1")
	h.says(t, "working")
	if got := s.ackbus(t, "enqueue", "shout", `{"say":"hello"}`, "--wait", "20s"); got.code != 0 || got.out != "{\"SAY\":\"HELLO\"}\n" {
		t.Errorf("%+v", got)
	}
	r := s.call(http.MethodPost, "shout/jobs?wait_ms=20000", object{"data": "hello", "delay_ms": 30, "unique": "k", "max_attempts": 1})
	if r.want(t, http.StatusOK, ""); r.Result != "HELLO" || r.Worker != "w1" || r.ID == "" {
		t.Errorf("%v", r)
	}
	kept := s.call(http.MethodPost, "shout/jobs", object{"data": "kept", "keep_ms": 60_000}).want(t, http.StatusAccepted, "")
	r = s.call(http.MethodGet, "shout/jobs/"+kept.ID+"/result?wait_ms=20000", nil).want(t, http.StatusOK, "")
	if r.Result != "KEPT" || r.ID != kept.ID {
		t.Errorf("%v", r)
	}
	r = s.call(http.MethodPost, "nobody/jobs?wait_ms=100", object{"data": 1}).want(t, http.StatusGatewayTimeout, "timeout")
	if q := s.queue(t, "nobody"); q.Waiting != 1 || r.ID == "" {
		t.Errorf("%v after %v", q, r)
	}
	if got := s.ackbus(t, "enqueue", "nobody", "1", "--wait", "100ms"); got.code != 1 || got.out != "" {
		t.Errorf("%+v", got)
	}
	s.call(http.MethodPost, "shout/jobs", object{"data": 1, "max_attempts": 0}).want(t, http.StatusBadRequest, "bad_request")
	if code := h.drain(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// SIGTERM: the job that runs is finished and told, the next is left to others.
func TestWorkerDrains(t *testing.T) {
	s := newShop(t)
	dir := t.TempDir()
	const program = `read -r job; touch "$DIR/began"; while ! [ -e "$DIR/go" ]; do sleep 0.02; done; echo "$job"`
	h := s.hire(t, "q", program, []string{"DIR=" + dir}, "--concurrency", "1")
	running := make(chan *reply, 1)
	group := asking(t, 1, func(int) *answer {
		running <- s.call(http.MethodPost, "q/jobs?wait_ms=20000", object{"data": "first"})
		return &answer{}
	})
	eventually(t, "the first job runs", func() bool {
		_, err := os.Stat(filepath.Join(dir, "began"))
		return err == nil
	})
	next := s.call(http.MethodPost, "q/jobs", object{"data": "next", "keep_ms": 60_000}).want(t, http.StatusAccepted, "")
	drained := make(chan int, 1)
	drain := asking(t, 1, func(int) *answer {
		drained <- h.drain(t)
		return &answer{}
	})
	h.says(t, "draining")
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := (<-running).want(t, http.StatusOK, ""); r.Result != "first" {
		t.Errorf("%v", r)
	}
	if code := <-drained; code != 0 {
		t.Errorf("exit code %d", code)
	}
	group.next(t)
	drain.next(t)
	if q := s.queue(t, "q"); q.Waiting != 1 || q.Running != 0 || q.Done != 1 {
		t.Errorf("%v", q)
	}
	began := time.Now()
	s.hire(t, "q", "cat", nil)
	r := s.call(http.MethodGet, "q/jobs/"+next.ID+"/result?wait_ms=20000", nil).want(t, http.StatusOK, "")
	if r.Result != "next" || r.Attempt != 1 {
		t.Errorf("%v", r)
	}
	t.Logf("another worker had done it %v after it was started", time.Since(began).Round(time.Millisecond))
}

// The job of a worker that is killed runs elsewhere within 2 s.
func TestWorkerKilled(t *testing.T) {
	s := newShop(t)
	dir := t.TempDir()
	const program = `read -r job; echo "$ACKBUS_JOB_TOKEN" > "$DIR/$ACKBUS_JOB_ATTEMPT"
		if [ "$ACKBUS_JOB_ATTEMPT" = 1 ]; then while [ -e "$DIR" ]; do sleep 0.1; done; fi # nobody kills it: it ends with the test
		echo "$job"`
	first := s.hire(t, "q", program, []string{"DIR=" + dir}, "--name", "first")
	id := s.call(http.MethodPost, "q/jobs", object{"data": "x", "keep_ms": 60_000}).want(t, http.StatusAccepted, "").ID
	noted := func(attempt string) string {
		text, err := os.ReadFile(filepath.Join(dir, attempt))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(text))
	}
	eventually(t, "the job runs", func() bool { return noted("1") != "" })
	s.hire(t, "q", program, []string{"DIR=" + dir}, "--name", "second").says(t, "working")
	settled := time.Now().Add(3500 * time.Millisecond) // for 3 s a newcomer does not trust its own lanes enough to call others dead
	eventually(t, "the second has been there for a while", func() bool { return time.Now().After(settled) })
	killed := time.Now()
	first.kill()
	r := s.call(http.MethodGet, "q/jobs/"+id+"/result?wait_ms=20000", nil).want(t, http.StatusOK, "")
	took := time.Since(killed)
	if r.Worker != "second" || r.Attempt != 2 {
		t.Errorf("%v", r)
	}
	if took > 2*time.Second {
		t.Errorf("the job was done %v after its worker was killed, want 2 s at most", took)
	}
	if one, two := noted("1"), noted("2"); one >= two && len(one) >= len(two) {
		t.Errorf("the tokens are %s and %s: want them to grow", one, two)
	}
}

// Dead letters by command line and by HTTP: the payload, and each attempt with its worker, time and error.
func TestDeadLettersByBothWays(t *testing.T) {
	s := newShop(t)
	h := s.hire(t, "print", `echo "out of paper"; exit 3`, nil, "--name", "w1")
	r := s.call(http.MethodPost, "print/jobs?wait_ms=20000", object{"data": object{"page": 1}, "max_attempts": 2})
	first := r.want(t, http.StatusUnprocessableEntity, "dead").ID
	got := s.ackbus(t, "enqueue", "print", `{"page":2}`, "--max-attempts", "1", "--wait", "20s", "--id", "second")
	if got.code != 1 || !strings.Contains(got.err, "exit status 3") {
		t.Errorf("%+v", got)
	}
	page := s.call(http.MethodGet, "print/dead", nil).want(t, http.StatusOK, "")
	if page.Total != 2 || len(page.Jobs) != 2 || page.Jobs[1].ID != first || len(page.Jobs[1].Attempts) != 2 {
		t.Fatalf("%v", page)
	}
	for _, a := range page.Jobs[1].Attempts {
		if _, err := time.Parse(time.RFC3339, a.Started); err != nil || a.Worker != "w1" || !strings.Contains(a.Error, "out of paper") {
			t.Errorf("%+v %v", a, err)
		}
	}
	var listed struct {
		Jobs  []deadJob
		Total int
	}
	got = s.ackbus(t, "dead", "print", "--json")
	if err := json.Unmarshal([]byte(got.out), &listed); err != nil || listed.Total != 2 || listed.Jobs[0].ID != "second" {
		t.Errorf("%+v %v", got, err)
	}
	if got = s.ackbus(t, "dead", "print", "show", first); got.code != 0 || !strings.Contains(got.out, `{"page":1}`) {
		t.Errorf("%+v", got)
	}
	if code := h.drain(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.call(http.MethodPost, "print/dead/"+first+"/retry", nil).want(t, http.StatusAccepted, "")
	if got = s.ackbus(t, "dead", "print", "delete", "second"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	s.hire(t, "print", "cat", nil)
	eventually(t, "the first is done", func() bool { return s.queue(t, "print").Done == 1 })
	if q := s.queue(t, "print"); q.Dead != 0 || q.Waiting != 0 {
		t.Errorf("%v", q)
	}
	s.call(http.MethodDelete, "print/dead/second", nil).want(t, http.StatusNotFound, "not_found")
	if got = s.ackbus(t, "dead", "print", "retry", "--all"); got.code != 0 || got.out != "0 wait again\n" {
		t.Errorf("%+v", got)
	}
}

// While Redis is away jobs are refused within 2.1 s; what was taken in before it was killed is there when it comes back with its file.
func TestQueueWhileRedisIsAway(t *testing.T) {
	s := newShop(t, "--appendonly", "yes", "--appendfsync", "always")
	id := s.call(http.MethodPost, "q/jobs", object{"data": "x", "keep_ms": 60_000}).want(t, http.StatusAccepted, "").ID
	if err := s.redis.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r := s.call(http.MethodPost, "q/jobs", object{"data": "y"}).want(t, http.StatusServiceUnavailable, "unavailable")
		if r.took > 3*time.Second { // two busy cores
			t.Errorf("%v", r)
		}
	}
	if got := s.ackbus(t, "enqueue", "q", "1"); got.code != 3 || !strings.Contains(got.err, "can't reach Redis") {
		t.Errorf("%+v", got)
	}
	if err := s.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	s.hire(t, "q", "cat", nil)
	r := s.call(http.MethodGet, "q/jobs/"+id+"/result?wait_ms=20000", nil).want(t, http.StatusOK, "")
	if r.Result != "x" || s.queue(t, "q").Done != 1 {
		t.Errorf("%v", r)
	}
}
