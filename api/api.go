package api

import (
	"net/http"

	"golang.org/x/time/rate"

	"github.com/ackbus/ackbus/bus"
)

// An API answers HTTP for one node. It is an http.Handler and holds no goroutines of its own.
type API struct {
	bus     *bus.Bus
	opts    Options
	keys    *keys
	limits  map[string]*rate.Limiter // by key; under "" where there are no keys; nil: no limit
	intake  *intake
	work    work
	recent  recent
	handler http.Handler
}

// New makes the API of the bus's node. The bus outlives it.
func New(b *bus.Bus, opts *Options) (*API, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Ready == nil {
		o.Ready = b.Ready
	}
	a := &API{bus: b, opts: o, keys: newKeys(o.Keys), limits: newLimits(o), intake: newIntake(o.MaxIntake)}
	mux, err := newMux(a.routes())
	if err != nil {
		return nil, err
	}
	a.handler = newOrigins(o.AllowedOrigins).wrap(mux)
	return a, nil
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }
