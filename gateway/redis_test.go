package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/redistest"
)

// newRedisBus is a bus over the real Redis that the tests of this package share.
func newRedisBus(t *testing.T, name string) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), redistest.Shared(t).URL(),
		&bus.Options{Name: name, Prefix: redistest.Prefix(t), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, b.Close()) })
	return b
}

// TestGroupOverRedis has 60 clients on two gateways and three carriers.
func TestGroupOverRedis(t *testing.T) {
	const clients = 60
	publisher := newRedisBus(t, "publisher")
	rigs := []*rig{{tb: t, bus: newRedisBus(t, "gw-1"), publisher: publisher}, {tb: t, bus: newRedisBus(t, "gw-2"), publisher: publisher}}
	for _, r := range rigs {
		r.open(nil)
	}
	var leaving []*client
	for i := range clients {
		r := rigs[i%2]
		c := r.login(carriers[i%3], fmt.Sprint(i), "news")
		r.answer(c, fields{"client": i}, nil)
		if i%20 == 0 {
			leaving = append(leaving, c)
		}
	}
	receipt, err := publisher.Request(rigs[0].ctx(), bus.Group("news"), "e", bus.JSON(1), bus.Require(bus.All()))
	if err != nil || receipt.Expected != clients || receipt.Nodes != 2 || receipt.Counts[bus.OutcomeConfirmed] != clients {
		t.Fatalf("receipt = %v, %v", receipt, err)
	}
	for _, c := range leaving {
		check(t, c.conn.Close())
	}
	eventually(t, "the sessions are gone", func() bool {
		return len(rigs[0].gateway.hub.all())+len(rigs[1].gateway.hub.all()) == clients-len(leaving)
	})
	receipt, err = publisher.Request(rigs[0].ctx(), bus.Group("news"), "e", bus.JSON(1), bus.Require(bus.All()))
	if err != nil || receipt.Expected != clients-len(leaving) {
		t.Fatalf("receipt = %v, %v", receipt, err)
	}
	if _, err := publisher.Request(rigs[0].ctx(), bus.User("0"), "e", bus.JSON(1)); !errors.Is(err, bus.ErrNoReceiver) {
		t.Errorf("to a client that left: %v", err)
	}
}
