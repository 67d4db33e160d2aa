package api

import (
	"context"
	"math"
	"net/http"

	"github.com/ackbus/ackbus/worker"
)

const (
	defaultDead = 100
	// MaxDead is how many dead letters are listed at once.
	MaxDead = 1000
)

// dead lists dead letters, the newest first.
func (a *API) dead(w http.ResponseWriter, r *http.Request) error {
	values, err := parameters(r, "offset", "limit")
	if err != nil {
		return err
	}
	offset, err := wholeParameter(values, "offset", 0, math.MaxInt32, 0)
	if err != nil {
		return err
	}
	limit, err := wholeParameter(values, "limit", 1, MaxDead, defaultDead)
	if err != nil {
		return err
	}
	ctx, cancel := bounded(r)
	defer cancel()
	found, err := a.queueOf(r).Dead(ctx, offset, limit)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, found)
}

// forAllDead does something with every job that is dead by now, and tells how many they were.
func (a *API) forAllDead(do func(*worker.Queue, context.Context) (int, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := noParameters(r); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(r.Context(), maxTimeout) // there may be 100,000
		defer cancel()
		n, err := do(a.queueOf(r), ctx)
		if err != nil {
			return err
		}
		return writeJSON(w, r, http.StatusAccepted, struct {
			Count int `json:"count"`
		}{n})
	}
}
