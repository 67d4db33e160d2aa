package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outcomes of attempts, as metrics name them.
const (
	outcomeDone     = "done"
	outcomeRetried  = "retried"
	outcomeReturned = "returned" // by Snooze, a lost lease, or the end of a pool
	outcomeDead     = "dead"
	outcomeDeleted  = "deleted"
	outcomeFenced   = "fenced"
)

// metrics is what workers count. Without a registerer they count for nobody.
type metrics struct {
	to       prometheus.Registerer
	here     []prometheus.Collector // registered
	duration *prometheus.HistogramVec
	waited   *prometheus.HistogramVec
	depth    *depth
}

func newMetrics(j *Jobs, to prometheus.Registerer) *metrics {
	const first, factor, steps = 0.0005, 2, 22 // to 17 min
	buckets := prometheus.ExponentialBuckets(first, factor, steps)
	m := &metrics{to: to, depth: newDepth(j),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "ackbus_job_duration_seconds",
			Help: "Time that attempts at jobs ran, by queue and by what became of the job.", Buckets: buckets},
			[]string{"queue", "outcome"}),
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "ackbus_job_wait_seconds",
			Help: "Time from when a job could have been started to when it was.", Buckets: buckets}, []string{"queue"})}
	if to == nil {
		return m
	}
	for _, c := range []prometheus.Collector{m.duration, m.waited, m.depth} {
		if err := to.Register(c); err != nil {
			j.log.Warn("metrics", slog.Any("error", err))
			continue
		}
		m.here = append(m.here, c)
	}
	return m
}

// unregister gives the names free for the next Jobs.
func (m *metrics) unregister() {
	for _, c := range m.here {
		m.to.Unregister(c)
	}
}

func (m *metrics) count(queue, outcome string, ran time.Duration) {
	m.duration.WithLabelValues(queue, outcome).Observe(ran.Seconds())
}

// depth reads the queues when it is asked. Every node says the same of them: take the maximum, not the sum.
type depth struct {
	jobs                                       *Jobs
	count, oldest, retried, died, lost, paused *prometheus.Desc
}

func newDepth(j *Jobs) *depth {
	queue := []string{"queue"}
	return &depth{j,
		prometheus.NewDesc("ackbus_queue_jobs", "Jobs of the cluster, by queue and state.", []string{"queue", "state"}, nil),
		prometheus.NewDesc("ackbus_queue_oldest_seconds", "For how long the oldest job that no worker has taken has waited.", queue, nil),
		prometheus.NewDesc("ackbus_job_retries_total", "Attempts of the cluster that failed and were followed by another.", queue, nil),
		prometheus.NewDesc("ackbus_job_deaths_total", "Jobs of the cluster that went to the dead letters.", queue, nil),
		prometheus.NewDesc("ackbus_jobs_dropped_total", "Jobs and dead letters of the cluster that were dropped because there was no room.",
			[]string{"queue", "what"}, nil),
		prometheus.NewDesc("ackbus_queue_paused", "1 while the queue is paused.", queue, nil)}
}

// Describe implements prometheus.Collector.
func (d *depth) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{d.count, d.oldest, d.retried, d.died, d.lost, d.paused} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (d *depth) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(d.jobs.group.Context(), commandTimeout)
	defer cancel()
	queues, err := d.jobs.Queues(ctx)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			d.jobs.log.Warn("metrics of queues", slog.Any("error", err))
		}
		return
	}
	for _, q := range queues {
		for state, n := range map[string]int64{"waiting": q.Waiting, "running": q.Running, "delayed": q.Delayed, "dead": q.Dead} {
			to <- prometheus.MustNewConstMetric(d.count, prometheus.GaugeValue, float64(n), q.Name, state)
		}
		paused := 0.0
		if q.Paused {
			paused = 1
		}
		to <- prometheus.MustNewConstMetric(d.oldest, prometheus.GaugeValue, q.Oldest.Seconds(), q.Name)
		to <- prometheus.MustNewConstMetric(d.retried, prometheus.CounterValue, float64(q.Retried), q.Name)
		to <- prometheus.MustNewConstMetric(d.died, prometheus.CounterValue, float64(q.Died), q.Name)
		to <- prometheus.MustNewConstMetric(d.lost, prometheus.CounterValue, float64(q.Dropped), q.Name, "job")
		to <- prometheus.MustNewConstMetric(d.lost, prometheus.CounterValue, float64(q.DeadDropped), q.Name, "dead letter")
		to <- prometheus.MustNewConstMetric(d.paused, prometheus.GaugeValue, paused, q.Name)
	}
}
