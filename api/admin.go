package api

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func metricsRoute(g prometheus.Gatherer) route {
	return route{method: http.MethodGet, path: "/metrics", open: true, serve: through(promhttp.HandlerFor(g, promhttp.HandlerOpts{}))}
}

// NewAdmin is what operators see, on an address of its own: metrics, health and profiles. It asks for no key.
func NewAdmin(ready func() error, metrics prometheus.Gatherer) (http.Handler, error) {
	return newMux(append(healthRoutes(ready), metricsRoute(metrics),
		route{method: http.MethodGet, path: "/debug/pprof/", serve: through(profiles())}))
}

// profiles are those of net/http/pprof; its index serves the ones that have a name of their own.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
