package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ackbus/ackbus/rpc"
	"github.com/ackbus/ackbus/worker"
)

// Defaults of Options.
const (
	DefaultMaxData   = 1 << 20
	DefaultMaxIntake = 64 << 20
)

// Options change an API. The zero value of a field means its default; a nil *Options means all defaults.
type Options struct {
	// Keys are the API keys that /v1 accepts as Authorization: Bearer. Default: none, and everybody may call it.
	Keys []string
	// AllowedOrigins are the origins whose pages may call the API (https://app.example, https://*.example.com, or * for
	// all). Default: none but the API's own.
	AllowedOrigins []string
	// Jobs are the queues that are offered below /v1/queues. Default: none, and nothing is there. They outlive the API.
	Jobs *worker.Jobs
	// Calls calls the methods that are offered below /v1/call. Default: none, and nothing is there. It outlives the API.
	Calls *rpc.Client
	// WebSocket is mounted at /ws. Default: nothing is.
	WebSocket http.Handler
	// Metrics is shown at /metrics. Default: nothing is.
	Metrics prometheus.Gatherer
	// Page shows the live page at /. Default: there is nothing.
	Page bool
	// Apart leaves metrics and the live page to Admin. Default: they stand at the API's own address.
	Apart bool
	// Ready says why the node should get no work, or nil. Default: what the bus says.
	Ready func() error
	// MaxData is how many bytes the data of a message may have. Default: DefaultMaxData.
	MaxData int
	// MaxIntake is how many bytes all bodies may have together that are being read or worked on, beyond the first 16 KiB of each; what
	// comes above is refused as overloaded. Default: DefaultMaxIntake.
	MaxIntake int
	// Rate is how many calls a second each API key may make; without keys, how many all callers may make together. A second's worth
	// may come at once. Default: no limit.
	Rate float64
	// Logger takes what an operator should know. Default: slog.Default().
	Logger *slog.Logger
}

// withDefaults returns a checked copy.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.MaxData == 0 {
		c.MaxData = DefaultMaxData
	}
	if c.MaxIntake == 0 {
		c.MaxIntake = DefaultMaxIntake
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if err := c.check(); err != nil {
		return Options{}, err
	}
	return c, nil
}

func (o *Options) check() error {
	if o.MaxData < 0 || o.MaxIntake < 0 || o.Rate < 0 {
		return errors.New("api: MaxData, MaxIntake and Rate can't be negative")
	}
	if o.MaxIntake < o.MaxData+bodySlack {
		return fmt.Errorf("api: MaxIntake is %d bytes; one body may have %d", o.MaxIntake, o.MaxData+bodySlack)
	}
	if slices.ContainsFunc(o.Keys, badKey) {
		return errors.New("api: an API key is empty or holds a space or a control character")
	}
	return nil
}

// badKey reports keys that could never come in a header.
func badKey(key string) bool {
	return key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f })
}
