package bus

import (
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// Where deliveries are made again, and copies come twice, what was confirmed before counts once.
func TestWhatWasConfirmedBeforeCountsOnce(t *testing.T) {
	for _, detail := range []Detail{DetailAll, DetailSummary} {
		inCluster(t, 2, func(t *testing.T, f *faults, _ *relay.Hub, nodes []*Bus) {
			good := connect(t, nodes[1], confirms, Group("g"))
			bad := connect(t, nodes[1], staysSilent, Group("g"))
			id := newID()
			ask := func() (*Receipt, error) {
				return nodes[0].Request(within(t, time.Second), Group("g"), "e", JSON(1), WithID(id), Require(All()), WithDetail(detail))
			}
			r, err := ask()
			wantOutcome(t, r, err, OutcomeUnconfirmed)
			f.set(func(c relay.Crossing) relay.Fault {
				if c.Hop == relay.HopIn && isMessage(c) {
					return relay.Fault{Copies: 1}
				}
				return relay.Fault{}
			})
			r, err = ask()
			wantOutcome(t, r, err, OutcomeUnconfirmed)
			if r.Counts[OutcomeConfirmed] != 1 {
				t.Errorf("%v: %v", detail, r.Counts)
			}
			good.wantSeen(t, 1)
			bad.wantSeen(t, 2)
		})
	}
}
