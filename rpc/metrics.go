package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ackbus/ackbus/bus"
)

// Metrics counts calls as ackbus_calls_total, by method and code ("ok" where there was no error), and measures them as
// ackbus_call_duration_seconds, by method. A caller's call to a method that nobody is known to serve counts under the method
// "unknown", and codes that are not this package's count as "other": both come from outside and may be any text. A process
// that counts both of its sides has two registerers, for example
//
//	rpc.Metrics(prometheus.WrapRegistererWith(prometheus.Labels{"side": "server"}, registry))
//
// Metrics that are registered already are counted on.
func Metrics(to prometheus.Registerer) (Interceptor, error) {
	calls, err := registered(to, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ackbus_calls_total",
		Help: "Calls by method and code."}, []string{"method", "code"}))
	if err != nil {
		return nil, err
	}
	took, err := registered(to, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "ackbus_call_duration_seconds",
		Help: "Time that calls took.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 20)}, []string{"method"}))
	if err != nil {
		return nil, err
	}
	return func(next Invoker) Invoker {
		return func(ctx context.Context, r *Request) (bus.Body, error) {
			began := time.Now()
			reply, err := next(ctx, r)
			method := r.Method
			if !r.Incoming && !r.known {
				method = "unknown"
			}
			calls.WithLabelValues(method, codeLabel(err)).Inc()
			took.WithLabelValues(method).Observe(time.Since(began).Seconds())
			return reply, err
		}
	}, nil
}

// codeLabel is the code as a label.
func codeLabel(err error) string {
	code := CodeOf(err)
	if code == "" {
		return "ok"
	}
	if _, known := statuses[code]; !known {
		return "other"
	}
	return string(code)
}

// registered registers a metric, or returns the one that is.
func registered[C prometheus.Collector](to prometheus.Registerer, metric C) (C, error) {
	err := to.Register(metric)
	if err == nil {
		return metric, nil
	}
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, same := already.ExistingCollector.(C); same {
			return existing, nil
		}
	}
	return metric, fmt.Errorf("rpc: metrics: %w", err)
}
