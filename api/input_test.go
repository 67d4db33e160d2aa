package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/api"
)

// Bad input is a 400 that names the field and says what is allowed.
func TestBadInput(t *testing.T) {
	r := newRig(t, nil)
	const ok = `"to":"user:1","event":"e"`
	for _, c := range []struct {
		body  string
		words []string
	}{
		{``, []string{"empty", "to, event"}},
		{`nonsense`, []string{"not valid JSON"}},
		{`[1]`, []string{"object"}},
		{`null`, []string{"object"}},
		{`"x"`, []string{"object"}},
		{`{` + ok, []string{"ends too early"}},
		{`{` + ok + `,}`, []string{"not valid JSON"}},
		{`{` + ok + `} {}`, []string{"goes on"}},
		{"{" + ok + ",\"data\":\"\xff\"}", []string{"UTF-8"}},
		{`{` + ok + `,"colour":1}`, []string{`"colour"`, "allowed", "timeout_ms"}},
		{`{` + ok + `,"To":"user:2"}`, []string{`"To"`}},
		{`{` + ok + `,"to":"user:2"}`, []string{"to", "twice"}},
		{`{"event":"e"}`, []string{"to", "missing"}},
		{`{"to":"user:1"}`, []string{"event", "missing"}},
		{`{"to":1,"event":"e"}`, []string{"to", "string"}},
		{`{"to":null,"event":"e"}`, []string{"to", "missing"}},
		{`{"to":"","event":"e"}`, []string{"to", "kind:name"}},
		{`{"to":"42","event":"e"}`, []string{"to", "kind:name"}},
		{`{"to":"planet:earth","event":"e"}`, []string{"to", "(kinds: user, group, socket, node, topic) or all"}},
		{`{"to":"all:x","event":"e"}`, []string{"to", "or all"}},
		{`{"to":"user:","event":"e"}`, []string{"to", "name"}},
		{`{"to":"socket:x","event":"e"}`, []string{"to", "socket"}},
		{`{"to":"user:` + strings.Repeat("x", 256) + `","event":"e"}`, []string{"to", "255"}},
		{`{"to":"user:1","event":""}`, []string{"event", "1 to 255"}},
		{`{"to":"user:1","event":"a\nb"}`, []string{"event", "control"}},
		{`{"to":"user:1","event":"` + strings.Repeat("x", 256) + `"}`, []string{"event", "255"}},
		{`{"to":"user:1","event":5}`, []string{"event", "string"}},
		{`{` + ok + `,"timeout_ms":-1}`, []string{"timeout_ms", "0 to 600000"}},
		{`{` + ok + `,"timeout_ms":600001}`, []string{"timeout_ms", "0 to 600000"}},
		{`{` + ok + `,"timeout_ms":1.5}`, []string{"timeout_ms", "whole"}},
		{`{` + ok + `,"timeout_ms":"5"}`, []string{"timeout_ms", "whole"}},
		{`{` + ok + `,"timeout_ms":1e99}`, []string{"timeout_ms", "whole"}},
		{`{` + ok + `,"require":0}`, []string{"require", "any, all or a number"}},
		{`{` + ok + `,"require":-1}`, []string{"require", "any, all or a number"}},
		{`{` + ok + `,"require":1.5}`, []string{"require", "any, all or a number"}},
		{`{` + ok + `,"require":"most"}`, []string{"require", "any, all or a number"}},
		{`{` + ok + `,"require":true}`, []string{"require", "any, all or a number"}},
		{`{` + ok + `,"require":{}}`, []string{"require", "any, all or a number"}},
		{`{` + ok + `,"level":"read"}`, []string{"level", "confirmed, written or claimed"}},
		{`{` + ok + `,"detail":"none"}`, []string{"detail", "auto, all or summary"}},
		{`{` + ok + `,"volatile":"yes"}`, []string{"volatile", "true or false"}},
		{`{` + ok + `,"fail_fast":1}`, []string{"fail_fast", "true or false"}},
		{`{` + ok + `,"id":"42"}`, []string{"id", "UUID"}},
		{`{` + ok + `,"id":"{0193d8a1-7c5e-7b52-9d2a-4f0c3b1e6a77}"}`, []string{"id", "UUID"}},
		{`{` + ok + `,"id":"` + uuid.Nil.String() + `"}`, []string{"id", "UUID"}},
		{`{` + ok + `,"data":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, []string{"data", "64"}},
		{`{` + ok + `,"data":` + strings.Repeat("[", 100_000) + `}`, []string{"data", "64"}},
		{strings.Repeat(`{"to":`, 10_000), []string{"to"}},
	} {
		a := r.post("/v1/request", c.body)
		a.failed(t, http.StatusBadRequest, "bad_request", c.words...)
	}
}

// What is null is as if it were not there, as encoders write what is not set; data alone can be null.
func TestNullIsAbsent(t *testing.T) {
	r := newRig(t, nil)
	r.handle("echo", echo)
	const none = `"volatile":null,"id":null`
	a := r.post("/v1/request", `{"to":"topic:echo","event":"e","data":null,"timeout_ms":null,"require":null,"level":null,"fail_fast":null,`+
		`"detail":null,`+none+`}`)
	if got := a.receipt(t); a.status != http.StatusOK || got.Require != "any" || string(got.Deliveries[0].Reply) != "null" {
		t.Errorf("request: %d %s", a.status, a.body)
	}
	if a = r.post("/v1/publish", `{"to":"topic:echo","event":"e",`+none+`}`); a.status != http.StatusAccepted {
		t.Errorf("publish: %d %s", a.status, a.body)
	}
	a = r.post("/v1/queues/print/jobs", `{"data":null,"delay_ms":null,"unique":null,"unique_ms":null,"max_attempts":null,"priority":null,`+
		`"id":null,"keep_ms":null,"time_limit_ms":null,"start_within_ms":null}`)
	if a.status != http.StatusAccepted {
		t.Errorf("job: %d %s", a.status, a.body)
	}
}

func TestPublishRefusesFieldsOfRequest(t *testing.T) {
	r := newRig(t, nil)
	a := r.post("/v1/publish", `{"to":"user:1","event":"e","timeout_ms":1}`)
	a.failed(t, http.StatusBadRequest, "bad_request", "timeout_ms", "to, event, data, volatile, id")
}

func TestBadParameters(t *testing.T) {
	r := newRig(t, nil)
	for target, words := range map[string][]string{
		"/v1/nodes?all=1":             {"all", "none"},
		"/v1/sockets?group=a":         {"group", "user, limit"},
		"/v1/sockets?limit=0":         {"limit", "1 to 1000"},
		"/v1/sockets?limit=1001":      {"limit", "1 to 1000"},
		"/v1/sockets?limit=many":      {"limit", "1 to 1000"},
		"/v1/sockets?limit=1&limit=2": {"limit", "twice"},
		"/v1/sockets?user=":           {"user", "empty"},
		"/v1/sockets?user=%zz":        {"query"},
	} {
		a := r.call(http.MethodGet, target, "")
		a.failed(t, http.StatusBadRequest, "bad_request", words...)
	}
	a := r.post("/v1/request?wait=1", `{"to":"user:1","event":"e"}`)
	a.failed(t, http.StatusBadRequest, "bad_request", "wait")
}

func TestBadIdempotencyKey(t *testing.T) {
	r := newRig(t, nil)
	body := `{"to":"user:1","event":"e"}`
	a := r.post("/v1/request", body, header{"Idempotency-Key": strings.Repeat("é", 256)})
	a.failed(t, http.StatusBadRequest, "bad_request", "Idempotency-Key", "255")
	a = r.post("/v1/request", body, header{"Idempotency-Key": ""})
	a.failed(t, http.StatusBadRequest, "bad_request", "Idempotency-Key", "255")
	a = r.post("/v1/request", `{"to":"user:1","event":"e","id":"`+uuid.NewString()+`"}`, header{"Idempotency-Key": "k"})
	a.failed(t, http.StatusBadRequest, "bad_request", "id", "Idempotency-Key")
	if a = r.post("/v1/request", body, header{"Idempotency-Key": strings.Repeat("é", 255)}); a.status != http.StatusNotFound {
		t.Errorf("255 characters: %d %s", a.status, a.body)
	}
}

func TestTooLarge(t *testing.T) {
	r := newRig(t, nil)
	r.handle("echo", echo)
	body := func(n int) string { return `{"to":"topic:echo","event":"e","data":"` + strings.Repeat("x", n-2) + `"}` }
	if a := r.post("/v1/request", body(api.DefaultMaxData)); a.status != http.StatusOK {
		t.Errorf("the largest data that is allowed: %d %.200s", a.status, a.body)
	}
	a := r.post("/v1/request", body(api.DefaultMaxData+1))
	a.failed(t, http.StatusRequestEntityTooLarge, "too_large", "data", "1048576")
	a = r.post("/v1/request", body(2*api.DefaultMaxData))
	a.failed(t, http.StatusRequestEntityTooLarge, "too_large", "body")
}

// A body whose length is not announced is bounded all the same.
func TestTooLargeChunked(t *testing.T) {
	r := newRig(t, nil)
	endless := bytes.NewReader([]byte(`{"to":"user:1","event":"e","data":"` + strings.Repeat("x", 2*api.DefaultMaxData) + `"}`))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+"/v1/request", struct{ *bytes.Reader }{endless})
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = -1
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %s", res.Status)
	}
}

// What passes is valid JSON that can be sent as it is; what does not is refused without a panic.
func FuzzReadMessage(f *testing.F) {
	for _, seed := range []string{`{"to":"user:1","event":"e","data":{"a":[1,2]}}`, `{"to":"all","event":"e"}`, `{`, `[]`, `{"to":}`,
		`{"data":` + strings.Repeat("[", 70), `{"id":"x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_, data, err := api.ReadMessage(body)
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
