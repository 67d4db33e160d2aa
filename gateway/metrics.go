package gateway

import (
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ackbus/ackbus/bus"
)

// metrics is what the gateway counts.
type metrics struct {
	registry    prometheus.Registerer // nil: nowhere
	collectors  []prometheus.Collector
	connections *prometheus.GaugeVec
	disconnects *prometheus.CounterVec
	slowClients prometheus.Counter
	unknownAcks prometheus.Counter
	ackSeconds  prometheus.Histogram
}

func newMetrics(b, arriving *budget, a *admission) *metrics {
	m := &metrics{
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "ackbus_connections",
			Help: "Open connections of clients, those included that have not said hello yet."}, []string{"carrier"}),
		disconnects: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ackbus_disconnects_total",
			Help: "Connections of clients that ended, by WebSocket close code; 1006: without a goodbye."}, []string{"code"}),
		slowClients: prometheus.NewCounter(prometheus.CounterOpts{Name: "ackbus_slow_clients_total",
			Help: "Clients that were closed because they did not read fast enough."}),
		unknownAcks: prometheus.NewCounter(prometheus.CounterOpts{Name: "ackbus_unknown_acks_total",
			Help: "Acknowledgements of clients for messages that were unknown or settled already."}),
		ackSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ackbus_delivery_ack_seconds",
			Help:    "Time from the write of a message to the client's acknowledgement or refusal.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16)}),
	}
	queueBytes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ackbus_session_queue_bytes",
		Help: "Bytes that wait to be written to clients, or to be worked on for them, over all sessions."},
		func() float64 { return float64(b.used.Load()) })
	receiveBytes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ackbus_session_receive_bytes",
		Help: "Bytes of frames of clients that have not come to their end, over all sessions."},
		func() float64 { return float64(arriving.used.Load()) })
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ackbus_handshakes_waiting",
		Help: "Clients that wait for their turn to be taken."},
		func() float64 { return float64(a.waiting.Load()) })
	refused := prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "ackbus_handshakes_refused_total",
		Help: "Clients that were refused because too many waited for their turn."},
		func() float64 { return float64(a.refused.Load()) })
	for _, carrier := range []string{bus.CarrierWebSocket, bus.CarrierTCP} {
		m.connections.WithLabelValues(carrier)
	}
	for _, code := range codeLabels() { // a counter that begins at its first disconnect has no rate for it
		m.disconnects.WithLabelValues(code)
	}
	m.collectors = []prometheus.Collector{m.connections, m.disconnects, m.slowClients, m.unknownAcks, m.ackSeconds, queueBytes,
		receiveBytes, waiting, refused}
	return m
}

// register registers all metrics, or none.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	m.registry = r
	for i, c := range m.collectors {
		if err := r.Register(c); err != nil {
			m.collectors = m.collectors[:i]
			m.unregister()
			return fmt.Errorf("gateway: metrics: %w", err)
		}
	}
	return nil
}

func (m *metrics) unregister() {
	if m.registry == nil {
		return
	}
	for _, c := range m.collectors {
		m.registry.Unregister(c)
	}
}

func (m *metrics) connected(carrier string) { m.connections.WithLabelValues(carrier).Inc() }

func (m *metrics) disconnected(carrier string, code int) {
	m.connections.WithLabelValues(carrier).Dec()
	m.disconnects.WithLabelValues(codeLabel(code)).Inc()
}

// codeLabel bounds the label: a client may close with any code.
func codeLabel(code int) string {
	switch {
	case code >= 1000 && code <= 1014, code == 4001, code == 4002, code == 4008, code == 4009:
		return strconv.Itoa(code)
	}
	return otherCode
}

const otherCode = "other"

// codeLabels are the codes that sessions of this package end with, or that their clients commonly close with.
func codeLabels() []string {
	labels := []string{otherCode}
	for _, code := range []int{1000, 1001, 1002, 1005, 1006, 1008, 1009, 1013, 4001, 4002, 4008, 4009} {
		labels = append(labels, strconv.Itoa(code))
	}
	return labels
}
