package bus

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ackbus/ackbus/bus/relay"
)

// What the bus's own packages ask each other is no publisher's request.
func TestMetricsCountPublishersRequests(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		b := join(t, relay.NewHub(nil), "a", func(o *Options) { o.Metrics = registry })
		for _, to := range []Address{Topic("ackbus.sockets"), MethodAt("ackbus.describe", b.id), Topic("ours")} {
			if _, err := b.Subscribe(t.Context(), to, answersOK); err != nil {
				t.Fatal(err)
			}
			r, err := b.Request(t.Context(), to, "e", JSON(1))
			wantOutcome(t, r, err, OutcomeConfirmed)
		}
		if n := testutil.ToFloat64(b.metrics.requests[OutcomeConfirmed]); n != 1 {
			t.Errorf("%v requests counted, want the one to the publisher's own topic", n)
		}
	})
}
