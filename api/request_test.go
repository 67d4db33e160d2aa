package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
)

// echo confirms with what came.
func echo(_ context.Context, m *bus.Message) (bus.Body, error) { return m.Body, nil }

// silent makes a handler that says nothing until the test is over.
func silent(t *testing.T) bus.Handler {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	return func(context.Context, *bus.Message) (bus.Body, error) {
		<-over
		return bus.Body{}, nil
	}
}

func TestRequestConfirmed(t *testing.T) {
	r := newRig(t, nil)
	r.handle("echo", echo)
	data := `{"amount": 100, "text": "<é>"}`
	a := r.post("/v1/request", `{"to":"topic:echo","event":"payment.settled","data":`+data+`,"timeout_ms":5000,"require":"any",
		"level":"confirmed","volatile":false,"fail_fast":true,"id":"0193d8a1-7c5e-7b52-9d2a-4f0c3b1e6a77","detail":"all"}`)
	got := a.receipt(t)
	if a.status != http.StatusOK || got.Outcome != "confirmed" || got.ID != "0193d8a1-7c5e-7b52-9d2a-4f0c3b1e6a77" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if d := got.Deliveries; len(d) != 1 || d[0].Node != "there" || !sameJSON(t, d[0].Reply, []byte(data)) {
		t.Errorf("%s", a.body)
	}
}

func TestRequestOutcomes(t *testing.T) {
	r := newRig(t, nil)
	r.handle("echo", echo)
	r.handle("silent", silent(t))
	r.handle("silent too", silent(t))
	r.handle("refuse", func(context.Context, *bus.Message) (bus.Body, error) {
		return bus.Body{}, bus.Reject("no_funds", "the account is empty")
	})
	for _, c := range []struct {
		body    string
		status  int
		outcome string
	}{
		{`{"to":"topic:nobody","event":"e"}`, http.StatusNotFound, "no_receiver"},
		{`{"to":"topic:refuse","event":"e"}`, http.StatusConflict, "rejected"},
		{`{"to":"topic:echo","event":"e","require":2}`, http.StatusConflict, "too_few"},
		{`{"to":"topic:silent","event":"e","timeout_ms":50}`, http.StatusGatewayTimeout, "unconfirmed"},
		{`{"to":"topic:echo","event":"e","level":"claimed"}`, http.StatusOK, "claimed"},
		{`{"to":"topic:silent too","event":"e","level":"written","timeout_ms":0}`, http.StatusOK, "written"},
		{`{"to":"topic:echo","event":"e","require":"all","volatile":true,"detail":"summary"}`, http.StatusOK, "confirmed"},
	} {
		a := r.post("/v1/request", c.body)
		if got := a.receipt(t); a.status != c.status || got.Outcome != c.outcome {
			t.Errorf("%s: %d %s, want %d %s", c.body, a.status, got.Outcome, c.status, c.outcome)
		}
	}
}

// Every outcome has its status, also those that a test of this package can't bring about.
func TestReceiptStatus(t *testing.T) {
	want := map[bus.Outcome]int{
		bus.OutcomeNoReceiver: 404, bus.OutcomeRejected: 409, bus.OutcomeTooFew: 409, bus.OutcomeClosed: 410, bus.OutcomeDropped: 410,
		bus.OutcomeExpired: 410, bus.OutcomeUnconfirmed: 504, bus.OutcomeUnknown: 504,
	}
	for _, o := range bus.Outcomes() {
		r := &bus.Receipt{Outcome: o}
		if got := api.ReceiptStatus(r, nil); got != http.StatusOK {
			t.Errorf("%s, requirement met: %d", o, got)
		}
		if o.Err() == nil {
			continue
		}
		if got := api.ReceiptStatus(r, &bus.ReceiptError{Receipt: r}); got != want[o] {
			t.Errorf("%s: %d, want %d", o, got, want[o])
		}
	}
}

func TestRequireForms(t *testing.T) {
	r := newRig(t, nil)
	r.handle("echo", echo)
	for require, shown := range map[string]string{`1`: "1", `"1"`: "1", `"any"`: "any", `"all"`: "all"} {
		a := r.post("/v1/request", `{"to":"topic:echo","event":"e","require":`+require+`}`)
		if got := a.receipt(t); a.status != http.StatusOK || got.Require != shown {
			t.Errorf("require %s: %d %s", require, a.status, a.body)
		}
	}
}

// The same ID again joins the first request; so does the same Idempotency-Key, for the same API key alone.
func TestSameIDIsDeliveredOnce(t *testing.T) {
	r := newRig(t, &api.Options{Keys: []string{"one", "two"}})
	var handled atomic.Int64
	r.handle("count", func(context.Context, *bus.Message) (bus.Body, error) { return bus.JSON(handled.Add(1)), nil })
	one, two := header{"Authorization": "Bearer one"}, header{"Authorization": "bearer two"}
	body := `{"to":"topic:count","event":"e","data":{"n":1}}`
	withID := strings.Replace(body, `"data"`, `"id":"`+uuid.NewString()+`","data"`, 1)
	key := header{"Idempotency-Key": "order 17 ü"}
	for _, c := range []struct {
		what    string
		body    string
		headers []header
		total   int64
	}{
		{"an ID", withID, []header{one}, 1},
		{"the ID again", withID, []header{one}, 1},
		{"the ID again, laid out otherwise", strings.ReplaceAll(withID, ":1}", ": 1 }"), []header{one}, 1},
		{"a key", body, []header{one, key}, 2},
		{"the key again", body, []header{one, key}, 2},
		{"the key of another caller", body, []header{two, key}, 3},
		{"no ID", body, []header{one}, 4},
	} {
		a := r.post("/v1/request", c.body, c.headers...)
		if a.status != http.StatusOK || handled.Load() != c.total {
			t.Errorf("%s: %d, handled %d times, want %d", c.what, a.status, handled.Load(), c.total)
		}
	}
	other := strings.Replace(withID, `"n":1`, `"n":2`, 1)
	a := r.post("/v1/request", other, one)
	a.failed(t, http.StatusUnprocessableEntity, "id_conflict")
}

func TestPublish(t *testing.T) {
	r := newRig(t, nil)
	got := make(chan *bus.Message, 1)
	r.handle("news", func(_ context.Context, m *bus.Message) (bus.Body, error) {
		got <- m
		return bus.Body{}, nil
	})
	id := uuid.NewString()
	a := r.post("/v1/publish", `{"to":"topic:news","event":"headline","data":"hello","volatile":true,"id":"`+id+`"}`)
	var p struct {
		ID        string
		Receivers int
	}
	a.decode(t, &p)
	if a.status != http.StatusAccepted || p.ID != id || p.Receivers != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if m := receive(t, "the message", got); m.Event != "headline" || string(m.Body.Raw()) != `"hello"` || !m.Volatile || m.Ack {
		t.Errorf("got %+v", m)
	}
	if a := r.post("/v1/publish", `{"to":"user:nobody","event":"headline"}`); a.status != http.StatusAccepted {
		t.Errorf("to nobody: %d %s", a.status, a.body)
	}
}

// A caller that hangs up ends its request, long before the timeout.
func TestHangingUpEndsTheRequest(t *testing.T) {
	r := newRig(t, nil)
	asked, wait := make(chan struct{}), silent(t)
	r.handle("silent", func(ctx context.Context, m *bus.Message) (bus.Body, error) {
		close(asked)
		return wait(ctx, m)
	})
	ctx, hangUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.server.URL+"/v1/request",
		strings.NewReader(`{"to":"topic:silent","event":"e","timeout_ms":60000}`))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		res, err := r.client.Do(req)
		if err == nil {
			err = res.Body.Close()
		}
		done <- err
	}()
	receive(t, "the request is under way", asked)
	if pending := r.here.Stats().Pending; pending != 1 {
		t.Errorf("%d requests are pending, want 1", pending)
	}
	hangUp()
	if err := receive(t, "it hangs up", done); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	eventually(t, "the request ends", func() bool { return r.here.Stats().Pending == 0 })
}
