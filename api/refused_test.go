package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
)

// Every error of the bus is an answer with its status, and a message in one line that means something to a caller.
func TestMessages(t *testing.T) {
	_, nobody := bus.ParseAddress("user:")
	during := func(err error) error { return fmt.Errorf("bus: request e to user:1: %w", err) }
	for _, c := range []struct {
		err    error
		status int
		code   string
		want   string
	}{
		{bus.ErrIDConflict, http.StatusUnprocessableEntity, "id_conflict", "id: was used for other content; want another one"},
		{fmt.Errorf("%w: the body has 2 bytes, at most 1 are allowed", bus.ErrTooLarge), http.StatusRequestEntityTooLarge, "too_large",
			"data: message too large: the body has 2 bytes, at most 1 are allowed"},
		{errors.Join(bus.ErrOverloaded, context.DeadlineExceeded), http.StatusServiceUnavailable, "overloaded", "to: too much"},
		{fmt.Errorf("%w: %w", bus.ErrUnavailable, errors.Join(errors.New("relay: not sent"), errors.New("relay: closed"))),
			http.StatusServiceUnavailable, "unavailable", "Redis can't be reached: not sent; closed"},
		{bus.ErrBusClosed, http.StatusServiceUnavailable, "unavailable", "the node is closing"},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "unavailable", "Redis did not take it in time"},
		{errors.Join(bus.ErrUnknown, context.Canceled), http.StatusServiceUnavailable, "unavailable", "the caller hung up"},
		{errors.Join(bus.ErrUnknown, nil), http.StatusGatewayTimeout, "unknown", "it may have been sent"},
		{nobody, http.StatusBadRequest, "bad_request", "to: bad address: user needs a name"},
		{fmt.Errorf("%w: JSON: it ends too early", bus.ErrBody), http.StatusBadRequest, "bad_request", "data: bad body: JSON: it ends"},
		{errors.New("gateway: odd"), http.StatusInternalServerError, "internal", "request e to user:1: odd"},
	} {
		status, code, message := api.FailureOf(during(c.err))
		if status != c.status || code != c.code || !strings.HasPrefix(message, c.want) || unreadable.MatchString(message) {
			t.Errorf("%v: %d %s %q, want %d %s %q", c.err, status, code, message, c.status, c.code, c.want)
		}
	}
}

// Who asks for Connection: close and sends a body that is not read to its end is refused in words, not by a reset, however large the
// body is.
func TestRefusedWithBody(t *testing.T) {
	const tries = 50
	r := newRig(t, &api.Options{Keys: []string{"key"}})
	closing := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range []struct {
		key    string
		size   int64
		status int
	}{
		{"key", 256 << 20, http.StatusRequestEntityTooLarge},
		{"key", 2 << 20, http.StatusRequestEntityTooLarge},
		{"wrong", 200 << 10, http.StatusUnauthorized},
	} {
		for range tries {
			body := io.LimitReader(endless{}, c.size)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+"/v1/request", body)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = c.size
			req.Header.Set("Authorization", "Bearer "+c.key)
			res, err := closing.Do(req)
			if err != nil {
				t.Errorf("%d bytes with the key %s: %v", c.size, c.key, err)
				continue
			}
			if res.Body.Close(); res.StatusCode != c.status {
				t.Errorf("%d bytes with the key %s: %s", c.size, c.key, res.Status)
			}
		}
	}
}

// A refused caller who asked before sending its body is answered at once, and not asked for it.
func TestRefusedBeforeContinue(t *testing.T) {
	r := newRig(t, nil)
	body := new(counted)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+"/v1/request", body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 256 << 20
	req.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: 10 * time.Second}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != http.StatusRequestEntityTooLarge || body.n != 0 {
		t.Errorf("%s, %d bytes were sent", res.Status, body.n)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type counted struct{ n int }

func (c *counted) Read(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}
