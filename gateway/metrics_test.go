package gateway

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestMetricsAreRegisteredOnce(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := newBuses(t)
	r.open(&Options{Metrics: registry})
	r.login("", "42")
	r.login(SubprotocolJSON, "42")
	if n := counterOf(r.gateway.metrics.connections.WithLabelValues("tcp")); n != 1 {
		t.Errorf("%v TCP connections counted", n)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	for _, want := range []string{"ackbus_connections", "ackbus_session_queue_bytes", "ackbus_slow_clients_total",
		"ackbus_unknown_acks_total", "ackbus_delivery_ack_seconds"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not among %v", want, names)
		}
	}
	if _, err := New(r.bus, &Options{Metrics: registry}); err == nil {
		t.Error("a second gateway registered the same metrics")
	}
	check(t, r.gateway.Close())
	again, err := New(r.bus, quiet(&Options{Metrics: registry}))
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	check(t, again.Close())
}
