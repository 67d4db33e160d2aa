package relay_test

import (
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// A probe that an earlier connection had sent, and whatever is no probe, says nothing about the lease of this one.
func TestAProbeOfAnEarlierConnection(t *testing.T) {
	now := time.Second
	lane, err := relay.NewLeasedLane(func() int64 { return int64(now) })
	if err != nil {
		t.Fatal(err)
	}
	probe := func() relay.LeaseProbe {
		lane.Tick()
		all := lane.Probes()
		if len(all) != 1 {
			t.Fatalf("%d probes at %v", len(all), now)
		}
		return all[0]
	}
	lane.Open()
	old := probe()
	lane.Reset()
	now += 2 * time.Second
	lane.Open()
	defer lane.Reset()
	for _, payload := range [][]byte{old.Payload, {}, []byte("what is no probe")} {
		if !lane.Read(payload) {
			t.Fatal("given up at once")
		}
	}
	now += relay.LeaseTime
	if !lane.Read(nil) {
		t.Error("the probe of the connection before has shortened the lease")
	}
	if now++; lane.Read(nil) {
		t.Error("read without a lease")
	}
}
