package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
)

func TestSocketsOfTheCluster(t *testing.T) {
	hub := relay.NewHub(nil)
	asker := newBus(t, hub, "asker")
	if sockets, total, err := Sockets(t.Context(), asker, Filter{}); err != nil || sockets == nil || len(sockets) != 0 || total != 0 {
		t.Errorf("without a gateway: %v, %d, %v", sockets, total, err)
	}
	one := &rig{tb: t, bus: newBus(t, hub, "gw-1"), publisher: asker}
	two := &rig{tb: t, bus: newBus(t, hub, "gw-2"), publisher: asker}
	one.open(nil)
	two.open(nil)
	for i := range 6 {
		one.login(carriers[i%3], "42", fmt.Sprint("g", i))
	}
	last := two.login("", "42")
	last.say(fields{"type": "join", "ref": 1, "group": "late"})
	last.expect("ok")
	two.login("", "43")
	two.connect(SubprotocolJSON, "") // has not said hello: nobody can reach it

	sockets, total, err := Sockets(t.Context(), asker, Filter{User: "42", Limit: 5})
	if err != nil || total != 7 || len(sockets) != 5 {
		t.Fatalf("%v, %d, %v, want 5 of 7", sockets, total, err)
	}
	s := sockets[0]
	if time.Since(s.Since) > time.Minute {
		t.Errorf("since %v", s.Since)
	}
	if !slices.Equal(s.Groups, []string{"g0"}) || s.Node != "gw-1" || s.User != "42" || s.Carrier != bus.CarrierWebSocket {
		t.Errorf("the oldest = %+v", s)
	}
	sockets, total, err = Sockets(t.Context(), asker, Filter{})
	if err != nil || total != 8 || len(sockets) != 8 {
		t.Fatalf("%v, %d, %v, want all 8", sockets, total, err)
	}
	if s := sockets[6]; s.Node != "gw-2" || s.Carrier != bus.CarrierTCP || !slices.Equal(s.Groups, []string{"late"}) {
		t.Errorf("the seventh = %+v", s)
	}
}

func TestListingIsBounded(t *testing.T) {
	r := newRig(t, nil)
	groups := make([]string, 100)
	for i := range groups {
		groups[i] = fmt.Sprintf("%s%03d", strings.Repeat("x", 250), i)
	}
	for range 30 {
		r.login("", "42", groups...)
	}
	sockets, total, err := Sockets(t.Context(), r.publisher, Filter{Limit: 1000})
	if err != nil || total != 30 || len(sockets) == 0 || len(sockets) == 30 {
		t.Errorf("%d of %d, %v, want some of 30", len(sockets), total, err)
	}
}

func TestListingOfNonsense(t *testing.T) {
	r := newRig(t, nil)
	_, err := r.publisher.Request(t.Context(), bus.Topic(directoryTopic), directoryEvent, bus.JSON("nonsense"))
	if !errors.Is(err, bus.ErrRejected) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Sockets(ctx, r.publisher, Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
}
