package rpc

import (
	"context"
	"testing"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
)

// A call adds one allocation to the request that it is, at the server, and typed ones what their values need.
func TestAllocationsOfACall(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates too")
	}
	hub := relay.NewHub(nil)
	node := func(name string) *bus.Bus {
		b, err := bus.New(t.Context(), hub.Relay(), &bus.Options{Name: name, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	at := node("at")
	body := bus.Bytes(make([]byte, 128))
	bare := bus.MethodAt("bare", at.Node().ID)
	answers := func(context.Context, *bus.Message) (bus.Body, error) { return body, nil }
	if _, err := at.Subscribe(t.Context(), bare, answers, bus.Concurrency(64)); err != nil {
		t.Fatal(err)
	}
	serveAt(t, at, func(s *Server) {
		s.HandleFunc("echo", func(_ context.Context, r *Request) (bus.Body, error) { return r.Body, nil })
	})
	client := clientAt(t, node("from"))
	until(t, "it is known", func() bool {
		_, err := client.Call(t.Context(), "echo", body)
		return err == nil
	})
	ctx := t.Context()
	request := testing.AllocsPerRun(3000, func() {
		if _, err := client.bus.Request(ctx, bare, "bare", body, bus.TrustCount()); err != nil {
			t.Error(err)
		}
	})
	call := testing.AllocsPerRun(3000, func() {
		if _, err := client.Call(ctx, "echo", body); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%.0f allocations a request, %.0f a call", request, call)
	if call > request+1 {
		t.Errorf("%.0f allocations a call, want one more than a request's %.0f", call, request)
	}
}
