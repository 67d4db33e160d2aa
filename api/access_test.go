package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/api"
)

const toNobody = `{"to":"user:nobody","event":"e"}`

func TestAPIKeys(t *testing.T) {
	r := newRig(t, &api.Options{Keys: []string{"first", "second"}})
	for given, allowed := range map[string]bool{
		"": false, "Bearer": false, "Bearer ": false, "Bearer wrong": false, "Basic first": false, "first": false, "Bearer firs": false,
		"Bearer first": true, "bearer second": true,
	} {
		var headers []header
		if given != "" {
			headers = append(headers, header{"Authorization": given})
		}
		a := r.post("/v1/request", toNobody, headers...)
		if allowed && a.status != http.StatusNotFound {
			t.Errorf("%q: %d", given, a.status)
		}
		if !allowed {
			a.failed(t, http.StatusUnauthorized, "unauthorized")
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%q: WWW-Authenticate: %q", given, a.header.Get("WWW-Authenticate"))
			}
		}
	}
	for _, open := range []string{"/healthz", "/livez", "/readyz", "/metrics", "/openapi.yaml", "/"} {
		if a := r.call(http.MethodGet, open, ""); a.status != http.StatusOK {
			t.Errorf("%s needs a key: %d", open, a.status)
		}
	}
	for _, closed := range []string{"/v1/nodes", "/v1/sockets", "/v1/receipts", "/v1/queues", "/v1/methods"} {
		a := r.call(http.MethodGet, closed, "")
		a.failed(t, http.StatusUnauthorized, "unauthorized")
	}
}

func TestRate(t *testing.T) {
	r := newRig(t, &api.Options{Keys: []string{"one", "two"}, Rate: 0.001})
	one, two := header{"Authorization": "Bearer one"}, header{"Authorization": "Bearer two"}
	if a := r.post("/v1/request", toNobody, one); a.status != http.StatusNotFound {
		t.Errorf("the first: %d", a.status)
	}
	a := r.post("/v1/request", toNobody, one)
	a.failed(t, http.StatusTooManyRequests, "rate_limited")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if a := r.post("/v1/request", toNobody, two); a.status != http.StatusNotFound {
		t.Errorf("another caller: %d", a.status)
	}
}

// A page of a foreign origin can post a form without asking first; a program names no origin.
func TestOrigins(t *testing.T) {
	r := newRig(t, &api.Options{AllowedOrigins: []string{"https://app.example"}})
	for origin, allowed := range map[string]bool{
		"https://app.example": true, r.server.URL: true, "https://evil.example": false, "null": false, "http://app.example": false,
	} {
		a := r.post("/v1/request", toNobody, header{"Origin": origin})
		if allowed && a.status != http.StatusNotFound {
			t.Errorf("%s: %d", origin, a.status)
		}
		if !allowed {
			a.failed(t, http.StatusForbidden, "forbidden")
		}
	}
	preflight := header{"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
	a := r.call(http.MethodOptions, "/v1/request", "", preflight, header{"Origin": "https://app.example"})
	if a.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("preflight of the allowed origin: %d %v", a.status, a.header)
	}
	a = r.call(http.MethodOptions, "/v1/request", "", preflight, header{"Origin": "https://evil.example"})
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another origin: %d %v", a.status, a.header)
	}
	a = r.call(http.MethodGet, "/v1/nodes", "", header{"Origin": "https://evil.example"})
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin may read: %v", a.header)
	}
}

func TestWithoutOriginsNobodyElseMayCall(t *testing.T) {
	r := newRig(t, nil)
	a := r.post("/v1/publish", toNobody, header{"Origin": "https://evil.example"})
	a.failed(t, http.StatusForbidden, "forbidden")
}

func TestPathsAndMethods(t *testing.T) {
	r := newRig(t, nil)
	for _, path := range []string{"/x", "/v1", "/v1/", "/v1/nodes/", "//v1/nodes", "/v1/../v1/nodes", "/v1/call", "/v1/call/",
		"/v1/queues/a/b", "/debug/pprof/"} {
		a := r.call(http.MethodGet, path, "")
		a.failed(t, http.StatusNotFound, "not_found")
	}
	for target, allow := range map[string]string{"/v1/request": "POST", "/v1/nodes": "GET, HEAD", "/healthz": "GET, HEAD"} {
		a := r.call(http.MethodPatch, target, "")
		a.failed(t, http.StatusMethodNotAllowed, "method_not_allowed", allow)
		if a.header.Get("Allow") != allow {
			t.Errorf("%s: Allow: %q", target, a.header.Get("Allow"))
		}
	}
	if a := r.call(http.MethodHead, "/v1/nodes", ""); a.status != http.StatusOK || len(a.body) > 0 {
		t.Errorf("HEAD: %d and %d bytes", a.status, len(a.body))
	}
}

func TestHealth(t *testing.T) {
	var reason error
	r := newRig(t, &api.Options{Ready: func() error { return reason }})
	if a := r.call(http.MethodGet, "/readyz", ""); a.status != http.StatusOK {
		t.Errorf("ready: %d", a.status)
	}
	reason = errors.New("Redis has been out of reach for 4 s")
	a := r.call(http.MethodGet, "/readyz", "")
	a.failed(t, http.StatusServiceUnavailable, "unavailable", "4 s")
	for _, path := range []string{"/healthz", "/livez"} {
		if a := r.call(http.MethodGet, path, ""); a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestNodes(t *testing.T) {
	r := newRig(t, nil)
	var listed struct{ Nodes []api.Node }
	a := r.call(http.MethodGet, "/v1/nodes", "")
	a.decode(t, &listed)
	if len(listed.Nodes) != 2 || listed.Nodes[0].ID != r.here.Node().ID || listed.Nodes[1].Name != "there" {
		t.Errorf("%s", a.body)
	}
}

func TestOptions(t *testing.T) {
	r := newRig(t, nil)
	for what, o := range map[string]*api.Options{
		"an empty key":          {Keys: []string{""}},
		"a key with a space":    {Keys: []string{"a b"}},
		"a negative rate":       {Rate: -1},
		"an intake for no body": {MaxIntake: 1},
	} {
		if _, err := api.New(r.here, o); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	if _, err := api.New(r.here, nil); err != nil {
		t.Errorf("nil options: %v", err)
	}
}
