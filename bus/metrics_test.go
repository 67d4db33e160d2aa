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

// A pair that no delivery can have makes no series.
func TestMetricsOfPossibleDeliveries(t *testing.T) {
	registry := prometheus.NewRegistry()
	join(t, relay.NewHub(nil), "a", func(o *Options) { o.Metrics = registry })
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "ackbus_deliveries_total" {
			continue
		}
		for _, m := range f.GetMetric() { // labels come sorted: carrier, outcome
			carrier, outcome := m.GetLabel()[0].GetValue(), m.GetLabel()[1].GetValue()
			if outcome == "too_few" || outcome == "no_receiver" || carrier == "" && outcome != "unknown" {
				t.Errorf("carrier %q, outcome %s", carrier, outcome)
			}
		}
		return
	}
	t.Error("no deliveries are counted")
}
