package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// Without Redis no node can be asked what it serves: that is 503, and no fault of a method's.
func TestMethodsWithoutRedis(t *testing.T) {
	r := newRig(t, nil)
	r.methods(adds)
	if a := r.call(http.MethodGet, "/v1/methods", ""); a.status != http.StatusOK || !strings.Contains(string(a.body), "math.sum") {
		t.Fatalf("before: %d %s", a.status, a.body)
	}
	r.hub.Cut(r.here.Node().ID.String())
	a := r.call(http.MethodGet, "/v1/methods", "")
	a.failed(t, http.StatusServiceUnavailable, "unavailable", "no node can be asked")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// Calls over HTTP have receipts as requests have, and stand among them.
func TestReceiptsOfCalls(t *testing.T) {
	r := newRig(t, nil)
	r.methods(adds)
	r.post("/v1/call/math.sum", `{"a":1,"b":2}`)
	r.post("/v1/call/math.sum", `{"a":"x"}`)
	r.post("/v1/call/math.some", `{}`)
	found := r.recent("")
	if found.Total != 2 || found.Refused != 1 || found.Counts["confirmed"] != 1 || found.Counts["rejected"] != 1 {
		t.Fatalf("%+v", found)
	}
	if d := found.Receipts[1].Receipt.Deliveries; len(d) != 1 || d[0].Node != "there" || len(d[0].Reply) > 0 {
		t.Errorf("%+v", d)
	}
}
