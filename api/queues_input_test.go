package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/api"
)

// Bad input about jobs is a 400 that names the field and says what is allowed.
func TestBadJobs(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		body  string
		words []string
	}{
		{``, []string{"empty", "data, delay_ms"}},
		{`[]`, []string{"object"}},
		{`{}`, []string{"data", "missing", "any JSON"}},
		{`{"data":1,"to":"user:1"}`, []string{`"to"`, "allowed", "max_attempts"}},
		{`{"data":1,"data":2}`, []string{"data", "twice"}},
		{`{"data":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, []string{"data", "64"}},
		{`{"data":1,"delay_ms":-1}`, []string{"delay_ms", "0 to 315360000000"}},
		{`{"data":1,"delay_ms":1.5}`, []string{"delay_ms", "whole"}},
		{`{"data":1,"delay_ms":"5"}`, []string{"delay_ms", "whole"}},
		{`{"data":1,"delay_ms":315360000001}`, []string{"delay_ms", "315360000000"}},
		{`{"data":1,"delay_ms":1e30}`, []string{"delay_ms", "whole"}},
		{`{"data":1,"max_attempts":0}`, []string{"max_attempts", "1 to 100"}},
		{`{"data":1,"max_attempts":101}`, []string{"max_attempts", "1 to 100"}},
		{`{"data":1,"id":null,"id":null}`, []string{"id", "twice"}},
		{`{"data":1,"unique":""}`, []string{"unique", "1 to 512"}},
		{`{"data":1,"unique":"` + strings.Repeat("x", 513) + `"}`, []string{"unique", "1 to 512"}},
		{`{"data":1,"unique":5}`, []string{"unique", "string"}},
		{`{"data":1,"unique_ms":5}`, []string{"unique_ms", "without unique"}},
		{`{"data":1,"priority":"urgent"}`, []string{"priority", "high, normal or low"}},
		{`{"data":1,"priority":1}`, []string{"priority", "string"}},
		{`{"data":1,"id":""}`, []string{"id", "1 to 128"}},
		{`{"data":1,"id":"a/b"}`, []string{"id", "slashes"}},
		{`{"data":1,"id":"a\u0000"}`, []string{"id", "control"}},
		{`{"data":1,"id":"` + strings.Repeat("x", 129) + `"}`, []string{"id", "1 to 128"}},
		{`{"data":1,"keep_ms":-1}`, []string{"keep_ms", "0 to"}},
		{`{"data":1,"time_limit_ms":-1}`, []string{"time_limit_ms", "0 to"}},
		{`{"data":1,"start_within_ms":true}`, []string{"start_within_ms", "whole"}},
	} {
		a := r.post("/v1/queues/print/jobs", c.body)
		a.failed(t, http.StatusBadRequest, "bad_request", c.words...)
	}
	a := r.post("/v1/queues/print/jobs", `{"data":1,"id":"x"}`, header{"Idempotency-Key": "k"})
	a.failed(t, http.StatusBadRequest, "bad_request", "id", "Idempotency-Key")
	a = r.post("/v1/queues/print/jobs", `{"data":"`+strings.Repeat("x", api.DefaultMaxData)+`"}`)
	a.failed(t, http.StatusRequestEntityTooLarge, "too_large", "data", "1048576")
	if all := r.call(http.MethodGet, "/v1/queues", ""); !sameJSON(t, all.body, []byte(`{"queues":[]}`)) {
		t.Errorf("what was refused left a queue: %s", all.body)
	}
}

func TestBadQueueParameters(t *testing.T) {
	r := newRig(t, nil)
	long := strings.Repeat("q", 129)
	for _, c := range []struct {
		method, target string
		words          []string
	}{
		{http.MethodPost, "/v1/queues/q/jobs?wait_ms=0", []string{"wait_ms", "1 to 600000"}},
		{http.MethodPost, "/v1/queues/q/jobs?wait_ms=600001", []string{"wait_ms", "1 to 600000"}},
		{http.MethodPost, "/v1/queues/q/jobs?wait_ms=5s", []string{"wait_ms", "1 to 600000"}},
		{http.MethodPost, "/v1/queues/q/jobs?wait=5", []string{`"wait"`, "wait_ms"}},
		{http.MethodPost, "/v1/queues/" + long + "/jobs", []string{"queue", "1 to 128"}},
		{http.MethodPost, "/v1/queues/a%7Bb/jobs", []string{"queue", "{}/"}},
		{http.MethodPost, "/v1/queues/a%2Fb/jobs", []string{"queue", "{}/"}},
		{http.MethodGet, "/v1/queues/a%00b", []string{"queue", "control"}},
		{http.MethodGet, "/v1/queues/" + long, []string{"queue", "1 to 128"}},
		{http.MethodGet, "/v1/queues?all=1", []string{"all", "none"}},
		{http.MethodGet, "/v1/queues/q?all=1", []string{"all", "none"}},
		{http.MethodGet, "/v1/queues/q/dead?limit=0", []string{"limit", "1 to 1000"}},
		{http.MethodGet, "/v1/queues/q/dead?limit=1001", []string{"limit", "1 to 1000"}},
		{http.MethodGet, "/v1/queues/q/dead?offset=-1", []string{"offset", "0 to"}},
		{http.MethodGet, "/v1/queues/q/dead?page=1", []string{`"page"`, "offset, limit"}},
		{http.MethodGet, "/v1/queues/q/jobs/" + long + "/result?wait_ms=10", []string{"job ID", "1 to 128"}},
		{http.MethodPost, "/v1/queues/" + long + "/pause", []string{"queue", "1 to 128"}},
		{http.MethodDelete, "/v1/queues/" + long + "/dead", []string{"queue", "1 to 128"}},
		{http.MethodPost, "/v1/queues/" + long + "/dead/x/retry", []string{"queue", "1 to 128"}},
	} {
		body := ""
		if strings.Contains(c.target, "/jobs") && c.method == http.MethodPost {
			body = `{"data":1}`
		}
		a := r.call(c.method, c.target, body)
		a.failed(t, http.StatusBadRequest, "bad_request", c.words...)
	}
}

// What passes is valid JSON that can be enqueued as it is; what does not is refused without a panic.
func FuzzReadJob(f *testing.F) {
	for _, seed := range []string{`{"data":{"a":[1,2]},"delay_ms":5}`, `{"data":null,"unique":"k","unique_ms":1}`, `{`, `[]`, `{"data":}`,
		`{"data":1,"id":"x","priority":"high","max_attempts":3}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		data, err := api.ReadJob(body)
		if err != nil {
			if status, _, _ := api.FailureOf(err); status != http.StatusBadRequest && status != http.StatusRequestEntityTooLarge {
				t.Errorf("%q: %d: %v", body, status, err)
			}
			return
		}
		if !json.Valid(body) || !data.IsZero() && !json.Valid(data.Raw()) {
			t.Errorf("%q passed with the data %q", body, data.Raw())
		}
	})
}
