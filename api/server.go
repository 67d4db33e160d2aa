package api

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer is an http.Server with the bounds that a listener open to others needs. Bodies and answers have deadlines of their own;
// a WriteTimeout would end requests that may wait ten minutes for their receipts.
func NewServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}
