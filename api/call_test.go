package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/rpc"
)

func newCalls(t *testing.T, b *bus.Bus) *rpc.Client {
	t.Helper()
	c, err := rpc.NewClient(b, &rpc.ClientOptions{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

type terms struct {
	A int `json:"a"`
	B int `json:"b"`
}

// methods serves on the other node, and returns once that is known here.
func (r *rig) methods(register func(*rpc.Server)) {
	r.t.Helper()
	s, err := rpc.NewServer(r.there, &rpc.ServerOptions{Logger: quiet()})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = s.Close() })
	register(s)
	if err := s.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	eventually(r.t, "the methods are known", func() bool {
		known, err := r.calls.Methods(r.t.Context())
		return err == nil && len(known) > 0
	})
}

func adds(s *rpc.Server) {
	rpc.Handle(s, "math.sum", func(_ context.Context, in terms) (int, error) { return in.A + in.B, nil },
		rpc.Version("1.2"), rpc.Description("adds two numbers"), rpc.Idempotent())
}

func (r *rig) echoes(s *rpc.Server) {
	s.HandleFunc("echo", func(_ context.Context, q *rpc.Request) (bus.Body, error) { return q.Body, nil })
}

func TestCall(t *testing.T) {
	r := newRig(t, nil)
	r.methods(func(s *rpc.Server) {
		adds(s)
		r.echoes(s)
		s.HandleFunc("a/ü %", func(context.Context, *rpc.Request) (bus.Body, error) {
			return bus.Encoded(bus.FormatJSON, []byte("{\n \"odd\": [1]\n}"))
		})
		s.HandleFunc("packed", func(context.Context, *rpc.Request) (bus.Body, error) {
			return bus.Msgpack(map[string]any{"raw": []byte("a\xff")}), nil
		})
		rpc.Handle(s, "squares", func(context.Context, struct{}) (map[int]int, error) { return map[int]int{3: 9}, nil })
		rpc.Handle(s, "bytes", func(context.Context, struct{}) ([]byte, error) { return []byte("ab"), nil })
	})
	for _, c := range []struct{ target, body, want string }{
		{"math.sum", `{"a":1,"b":2}`, `3`},
		{"math.sum?timeout_ms=600000", `{"a":1}`, `1`},
		{"math.sum", ``, `0`},
		{"math.sum", ` null `, `0`},
		{"echo", "{\n\"a\": [1.50, \"x\", null, 12345678901234567890]}", `{"a":[1.50,"x",null,12345678901234567890]}`},
		{"echo", ``, `null`},
		{"echo", `"text"`, `"text"`},
		{"a%2F%C3%BC%20%25", `{}`, `{"odd":[1]}`},
		{"packed", `{}`, `{"raw":{"base64":"Yf8="}}`},
		{"squares", `{}`, `{"3":9}`},
		{"squares", ``, `{"3":9}`}, // who brings no argument speaks JSON all the same
		{"bytes", `{}`, `"YWI="`},
		{"bytes", ``, `"YWI="`},
	} {
		if a := r.post("/v1/call/"+c.target, c.body); a.status != http.StatusOK || string(a.body) != c.want+"\n" {
			t.Errorf("%s %s: %d %s", c.target, c.body, a.status, a.body)
		}
	}
}

func TestCallErrors(t *testing.T) {
	r := newRig(t, nil)
	r.methods(func(s *rpc.Server) {
		adds(s)
		s.HandleFunc("fail", func(_ context.Context, q *rpc.Request) (bus.Body, error) {
			var code rpc.Code
			if err := q.Body.Decode(&code); err != nil {
				return bus.Body{}, err
			}
			return bus.Body{}, &rpc.Error{Code: code, Message: "it\nfailed", Details: map[string]int{"n": 1}}
		})
	})
	for code, status := range map[string]int{
		"bad_request": 400, "unauthorized": 401, "forbidden": 403, "not_found": 404, "already_exists": 409, "too_large": 413,
		"no_paper": 422, "rejected": 422, "rate_limited": 429, "internal": 500, "timeout": 504, "overloaded": 503, "unavailable": 503,
	} {
		a := r.post("/v1/call/fail", `"`+code+`"`)
		a.failed(t, status, code, "it; failed")
		if !strings.Contains(string(a.body), `"details":{"n":1}`) {
			t.Errorf("%s: no details: %s", code, a.body)
		}
		if limited := status == http.StatusServiceUnavailable || status == 429; limited != (a.header.Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After: %q", code, a.header.Get("Retry-After"))
		}
	}
	a := r.post("/v1/call/math.sum", `{"a":"x"}`)
	a.failed(t, http.StatusBadRequest, "bad_request", `"a"`, "string", "int")
	before := time.Now()
	a = r.post("/v1/call/math.some", `{}`)
	a.failed(t, http.StatusNotFound, "unknown_method", "nobody serves math.some", "math.sum")
	if took := time.Since(before); took > 4*time.Second || !strings.Contains(string(a.body), `"details":{"near":["math.sum"]}`) {
		t.Errorf("after %v: %s", took, a.body)
	}
}

// A stream can't be had over HTTP, and whoever asks for one learns that without knowing the Go package.
func TestCallOfAStream(t *testing.T) {
	r := newRig(t, nil)
	r.methods(func(s *rpc.Server) {
		rpc.HandleStream(s, "count", func(context.Context, int) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) { yield(1, nil) }
		})
	})
	a := r.post("/v1/call/count", `1`)
	a.failed(t, http.StatusBadRequest, "bad_request", "answers with a stream", "one result")
	if text := string(a.body); !strings.Contains(text, `"details":{"streaming":true}`) || strings.Contains(text, "CallStream") {
		t.Errorf("%s", text)
	}
}

func TestCallInput(t *testing.T) {
	r := newRig(t, nil)
	r.methods(r.echoes)
	for _, c := range []struct {
		target, body string
		status       int
		code         string
		words        []string
	}{
		{"echo", `{"a":`, 400, "bad_request", []string{"the body", "not JSON"}},
		{"echo", `hello`, 400, "bad_request", []string{"the body", "not JSON"}},
		{"echo", `1 2`, 400, "bad_request", []string{"the body", "not JSON"}},
		{"echo", "\"\xff\"", 400, "bad_request", []string{"the body", "UTF-8"}},
		{"echo", strings.Repeat("[", 65) + strings.Repeat("]", 65), 400, "bad_request", []string{"the body", "64 levels"}},
		{"echo", `"` + strings.Repeat("x", api.DefaultMaxData) + `"`, 413, "too_large", []string{"the body", "1048576"}},
		{"echo", strings.Repeat(" ", api.DefaultMaxData+100_000), 413, "too_large", []string{"the body"}},
		{"echo", strings.Repeat("[", 500_000), 400, "bad_request", []string{"the body", "64 levels"}},
		{"echo?timeout_ms=600001", `1`, 400, "bad_request", []string{"timeout_ms", "0 to 600000"}},
		{"echo?timeout_ms=5s", `1`, 400, "bad_request", []string{"timeout_ms", "0 to 600000"}},
		{"echo?timeout_ms=1&timeout_ms=2", `1`, 400, "bad_request", []string{"timeout_ms", "twice"}},
		{"echo?timeout=1", `1`, 400, "bad_request", []string{`"timeout"`, "timeout_ms"}},
		{"echo@" + r.there.Node().ID.String(), `1`, 400, "bad_request", []string{"name of a method", "@"}},
		{"ackbus.describe", `1`, 400, "bad_request", []string{"name of a method", "ackbus."}},
		{strings.Repeat("m", 201), `1`, 400, "bad_request", []string{"name of a method", "1 to 200"}},
		{"a%00b", `1`, 400, "bad_request", []string{"name of a method"}},
		{"a%FFb", `1`, 400, "bad_request", []string{"name of a method"}},
	} {
		a := r.post("/v1/call/"+c.target, c.body)
		a.failed(t, c.status, c.code, c.words...)
	}
	if a := r.post("/v1/call/echo?timeout_ms=0", `1`); a.status != http.StatusOK {
		t.Errorf("0 is the default: %d %s", a.status, a.body)
	}
	for _, target := range []string{"/v1/call/", "/v1/call/a/b"} {
		a := r.post(target, `1`)
		a.failed(t, http.StatusNotFound, "not_found")
	}
	a := r.call(http.MethodGet, "/v1/call/echo", "")
	a.failed(t, http.StatusMethodNotAllowed, "method_not_allowed", "POST")
	a = r.call(http.MethodGet, "/v1/methods?x=1", "")
	a.failed(t, http.StatusBadRequest, "bad_request", `"x"`)
}

// The time limit is the method's too, and so is a caller's hanging up.
func TestCallEndsWithItsCaller(t *testing.T) {
	r := newRig(t, nil)
	type waiting struct {
		begun chan time.Duration // how much time it had left
		ended chan error
	}
	limited := waiting{make(chan time.Duration, 10), make(chan error, 10)}
	abandoned := waiting{make(chan time.Duration, 1), make(chan error, 1)}
	r.methods(func(s *rpc.Server) {
		for method, w := range map[string]waiting{"limited": limited, "abandoned": abandoned} {
			rpc.Handle(s, method, func(ctx context.Context, _ struct{}) (int, error) {
				deadline, _ := ctx.Deadline()
				w.begun <- time.Until(deadline)
				<-ctx.Done()
				w.ended <- context.Cause(ctx)
				return 0, ctx.Err()
			})
		}
	})
	// On a busy machine the time may be over before the method begins.
	for tries := 0; tries < cap(limited.begun) && len(limited.begun) == 0; tries++ {
		before := time.Now()
		a := r.post("/v1/call/limited?timeout_ms=100", `{}`)
		a.failed(t, http.StatusGatewayTimeout, "timeout")
		if took := time.Since(before); took < 100*time.Millisecond || took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	if left := receive(t, "the method begins", limited.begun); left > 150*time.Millisecond {
		t.Errorf("the method had %v", left)
	}
	receive(t, "its time is over", limited.ended)
	ctx, cancel := context.WithCancel(t.Context())
	target := r.server.URL + "/v1/call/abandoned?timeout_ms=60000"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	hungUp := make(chan error, 1)
	go func() {
		res, err := r.client.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		hungUp <- err
	}()
	receive(t, "the method begins", abandoned.begun)
	cancel()
	if err := receive(t, "the caller hangs up", hungUp); err == nil {
		t.Error("it was answered")
	}
	receive(t, "the method ends", abandoned.ended)
}

func TestMethods(t *testing.T) {
	r := newRig(t, nil)
	if a := r.call(http.MethodGet, "/v1/methods", ""); a.status != http.StatusOK || string(a.body) != "{\"methods\":[]}\n" {
		t.Errorf("without any: %d %s", a.status, a.body)
	}
	r.methods(func(s *rpc.Server) {
		adds(s)
		r.echoes(s)
	})
	var listed api.Methods
	eventually(t, "the methods are known", func() bool {
		a := r.call(http.MethodGet, "/v1/methods", "")
		listed = api.Methods{}
		a.decode(t, &listed)
		return len(listed.Methods) == 2
	})
	sum := listed.Methods[1]
	schema, err := json.Marshal(sum.Request)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Name != "math.sum" || sum.Version != "1.2" || sum.Description != "adds two numbers" || !sum.Idempotent ||
		!strings.Contains(string(schema), `"a"`) || len(sum.Instances) != 1 || sum.Instances[0].Node != "there" {
		t.Errorf("%+v", sum)
	}
}

// A node that does not answer is named, and the others are listed.
func TestMethodsInPart(t *testing.T) {
	r := newRig(t, nil)
	r.methods(adds)
	silent := newBus(t, r.hub, "silent")
	silent.Serve(3, 7) // and nobody there says which
	eventually(t, "the silent node is known", func() bool {
		for _, n := range r.here.Nodes() {
			if n.Name == "silent" && n.Methods == 3 {
				return true
			}
		}
		return false
	})
	a := r.call(http.MethodGet, "/v1/methods", "")
	var listed api.Methods
	a.decode(t, &listed)
	if a.status != http.StatusOK || len(listed.Methods) != 1 || len(listed.Errors) != 1 || !strings.Contains(listed.Errors[0], "silent") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestMethodAddresses(t *testing.T) {
	r := newRig(t, nil)
	ran := make(chan struct{}, 8)
	r.methods(func(s *rpc.Server) {
		rpc.Handle(s, "run", func(context.Context, struct{}) (int, error) {
			ran <- struct{}{}
			return 0, nil
		})
	})
	for _, to := range []string{"method:run", bus.MethodAt("run", r.there.Node().ID).String(), "method:nothing"} {
		for _, path := range []string{"/v1/request", "/v1/publish"} {
			a := r.post(path, fmt.Sprintf(`{"to":%q,"event":"run"}`, to))
			a.failed(t, http.StatusBadRequest, "bad_request", "to: ", "/v1/call/")
		}
	}
	if len(ran) > 0 {
		t.Error("the method ran")
	}
}
