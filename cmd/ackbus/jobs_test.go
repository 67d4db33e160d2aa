package main

import (
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/ackbus/ackbus/internal/redistest"
)

// The embedded Redis carries queues too: a serve without --redis, and workers that join it.
func TestQueuesOnTheEmbeddedRedis(t *testing.T) {
	s := serveReady(t, "--embedded", "127.0.0.1:0")
	redis := parse[struct{ URL string }](t, s.err.await(t, "embedded Redis", s.done)).URL
	w := start(t, "work", "shout", "--exec", "tr a-z A-Z", "--redis", redis, "--name", "w1")
	w.logged("working")
	got := call(t, http.MethodPost, s.http+"/v1/queues/shout/jobs?wait_ms=20000", `{"data":"hello","delay_ms":20,"keep_ms":4000}`)
	if got.status != http.StatusOK || !strings.Contains(got.body, `"result":"HELLO"`) || !strings.Contains(got.body, `"worker":"w1"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	id := parse[struct{ ID string }](t, got.body).ID
	if got = call(t, http.MethodGet, s.http+"/v1/queues/shout/jobs/"+id+"/result", ""); got.status != http.StatusOK {
		t.Errorf("the result is kept: %d %s", got.status, got.body)
	}
	eventually(t, "it is kept no longer than that", func() bool {
		return call(t, http.MethodGet, s.http+"/v1/queues/shout/jobs/"+id+"/result", "").status == http.StatusNotFound
	})
	counted := `ackbus_queue_jobs{queue="shout",state="waiting"} 0`
	if got = call(t, http.MethodGet, s.http+"/metrics", ""); !strings.Contains(got.body, counted) {
		t.Error("the metrics don't count the queue's jobs")
	}
	for _, p := range []*process{w, s.process} {
		p.signal(syscall.SIGTERM)
		if code := p.wait(); code != exitDone {
			t.Errorf("exit code %d", code)
		}
	}
}

// Where Redis lets a node publish and subscribe, but keep nothing, it serves without queues and says so.
func TestServeWithoutRightsToQueues(t *testing.T) {
	redis := redistest.Start(t)
	rights := "on >secret resetkeys resetchannels &* -@all +publish +subscribe +unsubscribe +psubscribe +punsubscribe +pubsub|numsub " +
		"+multi +exec +ping"
	args := []any{"ACL", "SETUSER", "bus"}
	for word := range strings.FieldsSeq(rights) {
		args = append(args, word)
	}
	if err := redis.Client().Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("bus", "secret")
	s := serveReady(t, "--redis", u.String())
	if said := s.err.await(t, "no job queues at this node", s.done); !strings.Contains(said, "NOPERM") {
		t.Errorf("the reason is not told: %s", said)
	}
	if got := call(t, http.MethodGet, s.http+"/v1/queues", ""); got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := call(t, http.MethodPost, s.http+"/v1/request", `{"to":"user:1","event":"e"}`); got.status != http.StatusNotFound ||
		!strings.Contains(got.body, "no_receiver") {
		t.Errorf("%d %s", got.status, got.body)
	}
}
