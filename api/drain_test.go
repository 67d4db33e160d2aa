package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/run"
)

// While the node drains, what is under way is awaited and answered, new work is refused, and who only looks is served.
func TestDrain(t *testing.T) {
	r := newRig(t, nil)
	asked, finish := make(chan struct{}), make(chan struct{})
	r.handle("slow", func(ctx context.Context, _ *bus.Message) (bus.Body, error) {
		close(asked)
		select {
		case <-finish:
		case <-ctx.Done():
		}
		return bus.JSON(1), nil
	})
	group := run.New(t.Context())
	defer group.Wait()
	defer group.Stop()
	first, drained := make(chan answer, 1), make(chan error, 1)
	group.Go(func() { first <- r.post("/v1/request", `{"to":"topic:slow","event":"e","timeout_ms":10000}`) })
	receive(t, "the request is under way", asked)
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := r.api.Drain(short); err == nil {
		t.Error("it drained while a request was under way")
	}
	group.Go(func() { drained <- r.api.Drain(t.Context()) })
	a := r.post("/v1/publish", `{"to":"topic:slow","event":"e"}`)
	a.failed(t, http.StatusServiceUnavailable, "unavailable", "draining")
	for _, target := range []string{"/livez", "/metrics", "/v1/nodes"} {
		if a := r.call(http.MethodGet, target, ""); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	close(finish)
	if a := receive(t, "the answer", first); a.status != http.StatusOK {
		t.Errorf("the request under way: %d %s", a.status, a.body)
	}
	if err := receive(t, "it drains", drained); err != nil {
		t.Error(err)
	}
}

// Whole numbers may be written as any JSON number that is one; nesting that encoding/json gives up on is told with its field.
func TestNumbersAndNesting(t *testing.T) {
	r := newRig(t, nil)
	for _, ms := range []string{"5000.0", "5e3", "0"} {
		a := r.post("/v1/request", `{"to":"user:nobody","event":"e","timeout_ms":`+ms+`}`)
		if a.status != http.StatusNotFound {
			t.Errorf("timeout_ms %s: %d %s", ms, a.status, a.body)
		}
	}
	a := r.post("/v1/request", `{"to":"user:nobody","event":"e","timeout_ms":1.5}`)
	a.failed(t, http.StatusBadRequest, "bad_request", "timeout_ms", "0 to 600000")
	deep := strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000)
	a = r.post("/v1/publish", `{"to":"user:nobody","event":"e","data":`+deep+`}`)
	a.failed(t, http.StatusBadRequest, "bad_request", "data", "64 levels")
}
