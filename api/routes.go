package api

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// A handler answers one request, or returns the error that the answer is made of.
type handler func(w http.ResponseWriter, r *http.Request) error

// A route is one operation of the API. Its path is in the form of http.ServeMux.
type route struct {
	method string
	path   string
	open   bool // needs no API key and counts against no limit
	serve  handler
}

// routes lists every operation; the OpenAPI document is held against it.
func (a *API) routes() []route {
	all := append(a.liveRoutes(),
		route{method: http.MethodPost, path: "/v1/publish", serve: a.publish},
		route{method: http.MethodGet, path: "/openapi.yaml", open: true, serve: document})
	if a.opts.Jobs != nil {
		all = append(all, a.queueRoutes()...)
	}
	if a.opts.Calls != nil {
		all = append(all, route{method: http.MethodPost, path: "/v1/call/{method}", serve: a.call})
	}
	all = append(all, healthRoutes(a.opts.Ready)...)
	if a.opts.Apart {
		return a.guarded(all)
	}
	if a.opts.Metrics != nil {
		all = append(all, metricsRoute(a.opts.Metrics))
	}
	if a.opts.Page {
		all = append(all, pageRoute())
	}
	return a.guarded(all)
}

// liveRoutes are those that the live page calls.
func (a *API) liveRoutes() []route {
	all := []route{
		{method: http.MethodPost, path: "/v1/request", serve: a.request},
		{method: http.MethodGet, path: "/v1/receipts", serve: a.receipts},
		{method: http.MethodGet, path: "/v1/nodes", serve: a.nodes},
		{method: http.MethodGet, path: "/v1/sockets", serve: a.sockets},
	}
	if a.opts.Jobs != nil {
		all = append(all, route{method: http.MethodGet, path: "/v1/queues", serve: a.queues})
	}
	if a.opts.Calls != nil {
		all = append(all, route{method: http.MethodGet, path: "/v1/methods", serve: a.methods})
	}
	if ws := a.opts.WebSocket; ws != nil {
		all = append(all, route{method: http.MethodGet, path: "/ws", open: true, serve: through(ws)})
	}
	return all
}

// guarded has every route that is not open ask for a key.
func (a *API) guarded(all []route) []route {
	for i, one := range all {
		if !one.open {
			all[i].serve = a.admit(one.serve)
		}
	}
	return all
}

// admit lets a caller through who has a key and is within its limit.
func (a *API) admit(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		key, err := a.keys.check(r)
		if err != nil {
			return err
		}
		if err := a.allow(key); err != nil {
			return err
		}
		end, err := a.work.begin(r.Method)
		if err != nil {
			return err
		}
		defer end()
		return next(w, r.WithContext(withKey(r.Context(), key)))
	}
}

// through is a handler that writes its errors itself.
func through(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// newMux answers with JSON what http.ServeMux would answer with text: paths and methods that are not there.
func newMux(routes []route) (http.Handler, error) {
	mux := http.NewServeMux()
	methods := make(map[string][]string)
	for _, one := range routes {
		if slices.Contains(methods[one.path], one.method) {
			return nil, fmt.Errorf("api: two routes for %s %s", one.method, one.path)
		}
		mux.Handle(one.method+" "+one.path, answering(one.serve))
		methods[one.path] = append(methods[one.path], one.method)
	}
	for where, allowed := range methods {
		mux.Handle(where, answering(notAllowed(allowed)))
	}
	unknown := answering(notFound)
	mux.Handle("/", unknown)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p != path.Clean(p) && p != path.Clean(p)+"/" { // the mux would redirect to the clean path
			unknown.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}), nil
}

// answering turns a handler's error into the answer.
func answering(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			writeFailure(w, r, failureOf(err))
		}
	})
}

func notFound(_ http.ResponseWriter, r *http.Request) error {
	return &failure{http.StatusNotFound, "not_found", fmt.Sprintf("there is nothing at %q", clip(r.URL.Path))}
}

func notAllowed(methods []string) handler {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	allowed := strings.Join(methods, ", ")
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", allowed)
		return &failure{http.StatusMethodNotAllowed, "method_not_allowed",
			fmt.Sprintf("%s is not allowed here: want %s", clip(r.Method), allowed)}
	}
}
