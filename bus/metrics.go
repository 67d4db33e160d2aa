package bus

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what the bus counts; nil where nobody asked for it.
type metrics struct {
	requests   [outcomes]prometheus.Counter
	duration   prometheus.Histogram
	deliveries *prometheus.CounterVec
	delivered  map[string]*[outcomes]prometheus.Counter // by carrier, those that are common
	malformed  prometheus.Counter
}

func newMetrics(b *Bus, to prometheus.Registerer) *metrics {
	if to == nil {
		return nil
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ackbus_requests_total",
		Help: "Requests by the outcome of their receipt."}, []string{"outcome"})
	deliveries := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ackbus_deliveries_total",
		Help: "Deliveries that receipts list, by carrier and outcome."}, []string{"carrier", "outcome"})
	m := &metrics{
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ackbus_request_duration_seconds",
			Help: "Time from handing a request over to its receipt.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 20)}),
		deliveries: deliveries, delivered: make(map[string]*[outcomes]prometheus.Counter),
		malformed: prometheus.NewCounter(prometheus.CounterOpts{Name: "ackbus_malformed_envelopes_total",
			Help: "Payloads that were dropped because they are no envelopes."}),
	}
	for _, o := range Outcomes() {
		m.requests[o] = requests.WithLabelValues(o.String())
	}
	for _, carrier := range carriers {
		m.delivered[carrier] = new([outcomes]prometheus.Counter)
		for _, o := range Outcomes() {
			if o != OutcomeTooFew && o != OutcomeNoReceiver { // these are of receipts alone
				m.delivered[carrier][o] = deliveries.WithLabelValues(carrier, o.String())
			}
		}
	}
	deliveries.WithLabelValues("", OutcomeUnknown.String()) // a copy that nobody claimed
	for _, c := range []prometheus.Collector{requests, m.duration, deliveries, m.malformed, b.gauges()} {
		if err := to.Register(c); err != nil {
			b.log.Warn("metrics", "error", err)
		}
	}
	return m
}

// gauges are read from the bus when they are asked for.
func (b *Bus) gauges() prometheus.Collector {
	return gauges{b, prometheus.NewDesc("ackbus_nodes", "Members of the cluster, this node included.", nil, nil),
		prometheus.NewDesc("ackbus_late_reports_total", "Reports for requests that were over.", nil, nil),
		prometheus.NewDesc("ackbus_ignored_steps_total", "Steps of deliveries that had settled.", nil, nil),
		prometheus.NewDesc("ackbus_requests_pending", "Requests under way.", nil, nil),
		prometheus.NewDesc("ackbus_deliveries_awaited", "Deliveries on this node that await an acknowledgement.", nil, nil)}
}

type gauges struct {
	bus                                    *Bus
	nodes, late, ignored, pending, awaited *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (g gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.nodes, g.late, g.ignored, g.pending, g.awaited} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	s := g.bus.Stats()
	to <- prometheus.MustNewConstMetric(g.nodes, prometheus.GaugeValue, float64(s.Nodes))
	to <- prometheus.MustNewConstMetric(g.late, prometheus.CounterValue, float64(s.LateReports))
	to <- prometheus.MustNewConstMetric(g.ignored, prometheus.CounterValue, float64(s.IgnoredSteps))
	to <- prometheus.MustNewConstMetric(g.pending, prometheus.GaugeValue, float64(s.Pending))
	to <- prometheus.MustNewConstMetric(g.awaited, prometheus.GaugeValue, float64(s.Awaited))
}

// Stats is what a Bus holds at the moment, and what it has counted.
type Stats struct {
	Nodes        int    // members, this node included
	Pending      int    // requests and publishings of this node under way
	Awaited      int    // deliveries of this node that await an acknowledgement
	Records      int    // requests that this node remembers
	Unreported   int    // publishers to whom reports have yet to leave
	LateReports  uint64 // reports for requests that were over
	IgnoredSteps uint64 // steps of deliveries that had settled
}

// Stats counts what the bus holds.
func (b *Bus) Stats() Stats {
	var s Stats
	b.membersMu.Lock()
	s.Nodes = len(b.members.table) + 1
	b.membersMu.Unlock()
	b.requestsMu.Lock()
	s.Pending, s.LateReports = b.requests.table.len(), b.requests.late
	b.requestsMu.Unlock()
	b.claimsMu.Lock()
	defer b.claimsMu.Unlock()
	s.Awaited, s.IgnoredSteps = b.claims.awaited, b.claims.ignored
	for _, stream := range b.claims.streams {
		s.Records += stream.records.len()
		if !stream.settled() {
			s.Unreported++
		}
	}
	return s
}

// observe counts a receipt.
func (m *metrics) observe(r *Receipt) {
	if m == nil {
		return
	}
	m.requests[r.Outcome].Inc()
	m.duration.Observe(r.Elapsed.Seconds())
	for i := range r.Deliveries {
		m.delivery(r.Deliveries[i].Carrier, r.Deliveries[i].Outcome)
	}
}

func (m *metrics) delivery(carrier string, o Outcome) {
	if common := m.delivered[carrier]; common != nil && common[o] != nil {
		common[o].Inc()
		return
	}
	m.deliveries.WithLabelValues(carrier, o.String()).Inc()
}

// odd counts a payload that is no envelope.
func (m *metrics) odd() {
	if m != nil {
		m.malformed.Inc()
	}
}
