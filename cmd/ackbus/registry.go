package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// newRegistry makes the registry of one process, with what every process shows.
func newRegistry() *prometheus.Registry {
	v := buildVersion()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "ackbus_build_info",
		Help:        "Is 1; its labels say what runs.",
		ConstLabels: prometheus.Labels{"version": v.Version, "revision": v.Revision, "goversion": v.Go},
	})
	build.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
