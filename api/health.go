package api

import (
	"net/http"

	"github.com/ackbus/ackbus/internal/plain"
)

// healthRoutes are what an orchestrator asks. None needs a key; /healthz and /livez never ask Redis, so that a Redis
// outage does not get the process killed.
func healthRoutes(ready func() error) []route {
	return []route{
		{method: http.MethodGet, path: "/healthz", open: true, serve: alive},
		{method: http.MethodGet, path: "/livez", open: true, serve: alive},
		{method: http.MethodGet, path: "/readyz", open: true, serve: readiness(ready)},
	}
}

type status struct {
	Status string `json:"status"`
}

func alive(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, r, http.StatusOK, status{"ok"})
}

func readiness(ready func() error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := ready(); err != nil {
			return &failure{http.StatusServiceUnavailable, codeUnavailable, plain.Text(err)}
		}
		return writeJSON(w, r, http.StatusOK, status{"ready"})
	}
}
