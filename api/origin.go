package api

import (
	"net/http"
	"net/url"

	"github.com/rs/cors"
)

// origins decides which pages may call the API from a browser.
type origins struct{ cors *cors.Cors }

func newOrigins(allowed []string) origins {
	o := cors.Options{
		AllowedOrigins: allowed,
		AllowedMethods: []string{http.MethodGet, http.MethodPost, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Idempotency-Key"},
		MaxAge:         600,
	}
	if len(allowed) == 0 { // to cors an empty list means everybody
		o.AllowOriginFunc = func(string) bool { return false }
	}
	return origins{cors.New(o)}
}

// wrap answers preflights, and refuses what a page of a foreign origin posts: a form needs no preflight, and on a developer's
// machine there is no API key either. GETs need no guard, since such a page can't read the answer.
func (o origins) wrap(next http.Handler) http.Handler {
	return o.cors.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if changes(r.Method) && !o.trusted(r) {
			writeFailure(w, r, &failure{http.StatusForbidden, "forbidden", "the origin of this page is not allowed"})
			return
		}
		next.ServeHTTP(w, r)
	}))
}

func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// trusted lets programs through, which name no origin, the API's own pages, and the allowed ones.
func (o origins) trusted(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	if u, err := url.Parse(origin); err == nil && u.Host == r.Host {
		return true
	}
	return o.cors.OriginAllowed(r)
}
