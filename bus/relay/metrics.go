package relay

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// meters are the relay's metrics. Without a registerer they count for nobody.
type meters struct {
	gaps       prometheus.Counter
	reconnects prometheus.Counter
	probe      prometheus.Histogram
	outbox     prometheus.Gauge
}

func newMeters(reg prometheus.Registerer) (*meters, error) {
	m := &meters{
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ackbus_relay_gaps_total",
			Help: "Times in which a lane may have missed messages.",
		}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ackbus_relay_reconnects_total",
			Help: "Connections to Redis, of lanes and outboxes, that were opened again.",
		}),
		probe: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "ackbus_relay_probe_seconds",
			Help:    "Time that a lane's probe took through Redis and back.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
		}),
		outbox: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ackbus_outbox_bytes",
			Help: "Payload bytes in the outbox, those in flight included.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(share(reg, &m.gaps), share(reg, &m.reconnects), share(reg, &m.probe), share(reg, &m.outbox))
}

// share registers the collector, or takes the one that another relay has registered.
func share[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	if err == nil {
		return nil
	}
	if twice, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := twice.ExistingCollector.(C); ok {
			*c = existing
			return nil
		}
	}
	return fmt.Errorf("relay: metrics: %w", err)
}
