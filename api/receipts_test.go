package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
)

// recent is what the tests look at of GET /v1/receipts.
type recent struct {
	Receipts []struct {
		Number  int
		At      time.Time
		Receipt receipt
	}
	Counts         map[string]int
	Total, Refused int
}

func (r *rig) recent(query string) recent {
	r.t.Helper()
	a := r.call(http.MethodGet, "/v1/receipts"+query, "")
	if a.status != http.StatusOK {
		r.t.Fatalf("%d %s", a.status, a.body)
	}
	var found recent
	a.decode(r.t, &found)
	return found
}

// The latest receipts are told, without what was replied, and counted by outcome.
func TestReceipts(t *testing.T) {
	r := newRig(t, nil)
	if none := r.recent(""); none.Receipts == nil || len(none.Receipts) != 0 || none.Total != 0 || len(none.Counts) != 0 {
		t.Errorf("before the first: %+v", none)
	}
	r.handle("yes", func(context.Context, *bus.Message) (bus.Body, error) { return bus.JSON("a secret"), nil })
	r.handle("no", func(context.Context, *bus.Message) (bus.Body, error) {
		return bus.Body{}, bus.Reject("refused", strings.Repeat("no ", 1000))
	})
	if a := r.post("/v1/request", `{"to":"topic:yes","event":"first"}`); !strings.Contains(string(a.body), "a secret") {
		t.Errorf("the receipt itself has lost its reply: %s", a.body)
	}
	r.post("/v1/request", `{"to":"topic:no","event":"second"}`)
	r.post("/v1/request", `{"to":"user:nobody","event":"third"}`)
	found := r.recent("")
	if found.Total != 3 || found.Refused != 0 || fmt.Sprint(found.Counts) != "map[confirmed:1 no_receiver:1 rejected:1]" {
		t.Errorf("%+v", found)
	}
	var outcomes []string
	for i, one := range found.Receipts {
		outcomes = append(outcomes, one.Receipt.Outcome)
		if one.Number != 3-i || time.Since(one.At) > time.Minute {
			t.Errorf("%+v", one)
		}
	}
	if fmt.Sprint(outcomes) != "[no_receiver rejected confirmed]" {
		t.Fatal(outcomes)
	}
	if d := found.Receipts[2].Receipt.Deliveries; len(d) != 1 || d[0].Node != "there" || len(d[0].Reply) > 0 {
		t.Errorf("%+v", d)
	}
	if d := found.Receipts[1].Receipt.Deliveries; len(d) != 1 || d[0].Error.Code != "refused" || len(d[0].Error.Message) > 100 {
		t.Errorf("%+v", d)
	}
	if later := r.recent("?after=1&limit=1"); len(later.Receipts) != 1 || later.Receipts[0].Number != 3 || later.Total != 3 {
		t.Errorf("%+v", later)
	}
	if later := r.recent("?after=3"); len(later.Receipts) != 0 {
		t.Errorf("%+v", later)
	}
}

// However many there were, a hundred are kept, with ten deliveries each.
func TestReceiptsAreBounded(t *testing.T) {
	r := newRig(t, nil)
	for range 12 {
		r.handle("many", func(context.Context, *bus.Message) (bus.Body, error) { return bus.Body{}, nil })
	}
	for i := range 105 {
		r.post("/v1/request", fmt.Sprintf(`{"to":"user:nobody","event":"e%d"}`, i))
	}
	r.post("/v1/request", `{"to":"topic:many","event":"last","require":"all"}`)
	found := r.recent("")
	if len(found.Receipts) != 100 || found.Total != 106 || found.Receipts[99].Number != 7 {
		t.Errorf("%d of %d, down to %d", len(found.Receipts), found.Total, found.Receipts[len(found.Receipts)-1].Number)
	}
	if last := found.Receipts[0].Receipt; last.Expected != 12 || len(last.Deliveries) != 10 {
		t.Errorf("%+v", last)
	}
}

// What was not sent has no receipt, and is counted by itself.
func TestRefusedRequestsAreCounted(t *testing.T) {
	r := newRig(t, nil)
	if err := r.here.Close(); err != nil {
		t.Fatal(err)
	}
	r.post("/v1/request", toNobody)
	if found := r.recent(""); found.Refused != 1 || found.Total != 0 {
		t.Errorf("%+v", found)
	}
}

func TestReceiptsInput(t *testing.T) {
	r := newRig(t, nil)
	for query, word := range map[string]string{
		"?after=-1": "after", "?after=x": "after", "?limit=0": "limit", "?limit=101": "limit", "?before=1": "before",
	} {
		a := r.call(http.MethodGet, "/v1/receipts"+query, "")
		a.failed(t, http.StatusBadRequest, "bad_request", word)
	}
}

// Without being asked for there is no page, and what stands apart is at the other address alone.
func TestPageIsAnOption(t *testing.T) {
	r := newRig(t, nil)
	if a := r.call(http.MethodGet, "/", ""); a.status != http.StatusOK || a.header.Get("Content-Security-Policy") == "" {
		t.Errorf("the page: %d %v", a.status, a.header)
	}
	if a := r.call(http.MethodGet, "/x", ""); a.status != http.StatusNotFound {
		t.Errorf("below the page: %d", a.status)
	}
	for _, opts := range []api.Options{{}, {Page: true, Apart: true}} {
		a, err := api.New(r.here, &opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, route := range api.Routes(a) {
			if route == "GET /" || route == "GET /metrics" {
				t.Errorf("%+v: %s is served", opts, route)
			}
		}
	}
}

// A page of a foreign origin may not send from the admin address either.
func TestAdminRefusesForeignPages(t *testing.T) {
	r := newRig(t, nil)
	admin, err := r.api.Admin()
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]int{"https://evil.example": http.StatusForbidden, "http://admin.test": http.StatusNotFound} {
		req := httptest.NewRequest(http.MethodPost, "http://admin.test/v1/request", strings.NewReader(toNobody))
		req.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		if admin.ServeHTTP(w, req); w.Code != want {
			t.Errorf("%s: %d, want %d", origin, w.Code, want)
		}
	}
}
