package worker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/redistest"
)

func TestMetrics(t *testing.T) {
	url, prefix := redistest.Shared(t).URL(), redistest.Prefix(t)
	b, err := bus.Open(t.Context(), url, &bus.Options{Name: "one", Prefix: prefix, Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	registry := prometheus.NewPedanticRegistry()
	jobs, err := Open(t.Context(), b, url, &Options{Logger: logger(t), Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = jobs.Close() })
	n := &node{b, jobs, t}
	q := jobs.Queue("q")
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, fails bool) (int, error) {
			if fails {
				return 0, errTest
			}
			return 1, nil
		}, RetryWith(soon))
	})
	if _, err := Call[int](within(t, 10*time.Second), q, false); err != nil {
		t.Fatal(err)
	}
	_, err = Call[int](within(t, 10*time.Second), q, true, MaxAttempts(2))
	wantError(t, err, ErrDead)
	enqueue(t, q, false, Delay(time.Hour))
	want := `
# HELP ackbus_job_deaths_total Jobs of the cluster that went to the dead letters.
# TYPE ackbus_job_deaths_total counter
ackbus_job_deaths_total{queue="q"} 1
# HELP ackbus_job_retries_total Attempts of the cluster that failed and were followed by another.
# TYPE ackbus_job_retries_total counter
ackbus_job_retries_total{queue="q"} 1
# HELP ackbus_queue_jobs Jobs of the cluster, by queue and state.
# TYPE ackbus_queue_jobs gauge
ackbus_queue_jobs{queue="q",state="dead"} 1
ackbus_queue_jobs{queue="q",state="delayed"} 1
ackbus_queue_jobs{queue="q",state="running"} 0
ackbus_queue_jobs{queue="q",state="waiting"} 0
# HELP ackbus_queue_oldest_seconds For how long the oldest job that no worker has taken has waited.
# TYPE ackbus_queue_oldest_seconds gauge
ackbus_queue_oldest_seconds{queue="q"} 0
`
	err = testutil.GatherAndCompare(registry, strings.NewReader(want), "ackbus_job_deaths_total", "ackbus_job_retries_total",
		"ackbus_queue_jobs", "ackbus_queue_oldest_seconds")
	if err != nil {
		t.Error(err)
	}
	until(t, "attempts are counted", func() bool {
		return testutil.CollectAndCount(jobs.metrics.duration) == 3 // done, retried, dead
	})
}
