package api

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ackbus/ackbus/api/live"
)

func metricsRoute(g prometheus.Gatherer) route {
	return route{method: http.MethodGet, path: "/metrics", open: true, serve: through(promhttp.HandlerFor(g, promhttp.HandlerOpts{}))}
}

// pageRoute is the live page: text without a secret. What it shows it asks for at routes that ask for a key.
func pageRoute() route {
	return route{method: http.MethodGet, path: "/{$}", open: true, serve: through(live.Handler())}
}

// Admin is what operators see, on an address of its own: metrics, health, profiles, which ask for no key, and the live page with the routes
// that it calls, which ask for a key where the API does.
func (a *API) Admin() (http.Handler, error) {
	routes := operatorRoutes(a.opts.Metrics, a.opts.Ready)
	if a.opts.Page {
		routes = append(append(routes, pageRoute()), a.liveRoutes()...)
	}
	mux, err := newMux(a.guarded(routes))
	if err != nil {
		return nil, err
	}
	return newOrigins(a.opts.AllowedOrigins).wrap(mux), nil
}

// Operators is what operators see of a process that has no API: metrics, health and profiles, which ask for no key. ready says why the
// process should get no work, or nil.
func Operators(metrics prometheus.Gatherer, ready func() error) (http.Handler, error) {
	return newMux(operatorRoutes(metrics, ready))
}

func operatorRoutes(metrics prometheus.Gatherer, ready func() error) []route {
	routes := append(healthRoutes(ready), route{method: http.MethodGet, path: "/debug/pprof/", open: true, serve: through(profiles())})
	if metrics != nil {
		routes = append(routes, metricsRoute(metrics))
	}
	return routes
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
