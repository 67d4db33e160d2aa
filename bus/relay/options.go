package relay

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options of OpenRedis. The zero value, and a nil pointer, mean all defaults.
type Options struct {
	// Prefix begins every channel that the relay makes up itself (beacons, alive and probe channels). It must be the same at
	// all nodes of a cluster and must not hold the glob characters of Redis: * ? [ ] \. Default "ackbus:".
	Prefix string
	// Lanes is the number of pub/sub connections, 1 to 64. It must be the same at all nodes of a cluster. Default 4.
	Lanes int
	// OutboxBytes bounds the payloads in the outbox, those in flight included; one packet always fits into an empty
	// outbox. Default 32 MiB.
	OutboxBytes int
	// OutboxPackets bounds the packets in the outbox, those in flight included. Default 65,536.
	OutboxPackets int
	// Linger is how long a released channel stays subscribed, so that a user who reconnects costs nothing. Default 10 s;
	// negative: it is given up at once.
	Linger time.Duration
	// CommandTimeout bounds a pipeline's way to Redis and back, to 100 ms, and each of dialing and greeting. Default 2 s.
	CommandTimeout time.Duration
	// Logger takes falls and rises of connections. Default: nothing is logged.
	Logger *slog.Logger
	// Metrics is where the relay's metrics are registered; relays that share a registerer share their metrics.
	// Default: none.
	Metrics prometheus.Registerer
	// Dial makes the network connections, before TLS. Default: a net.Dialer with keep-alive, and with TCP_USER_TIMEOUT
	// where the system has it.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	defaultPrefix  = "ackbus:"
	defaultLanes   = 4
	mostLanes      = 64
	defaultBytes   = 32 << 20
	defaultPackets = 65_536
	defaultLinger  = 10 * time.Second
	defaultTimeout = 2 * time.Second
)

// withDefaults returns a copy with every default filled in, or what is wrong with the options.
func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	opts.Prefix = cmp.Or(opts.Prefix, defaultPrefix)
	opts.Lanes = cmp.Or(opts.Lanes, defaultLanes)
	opts.OutboxBytes = cmp.Or(opts.OutboxBytes, defaultBytes)
	opts.OutboxPackets = cmp.Or(opts.OutboxPackets, defaultPackets)
	opts.Linger = max(cmp.Or(opts.Linger, defaultLinger), 0)
	opts.CommandTimeout = cmp.Or(opts.CommandTimeout, defaultTimeout)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Dial == nil {
		opts.Dial = dialNetwork
	}
	if err := opts.validate(); err != nil {
		return Options{}, err
	}
	return opts, nil
}

func (o *Options) validate() error {
	switch {
	case strings.ContainsAny(o.Prefix, `*?[]\`):
		return fmt.Errorf("relay: prefix %q holds a glob character", o.Prefix)
	case o.Lanes < 1 || o.Lanes > mostLanes:
		return fmt.Errorf("relay: %d lanes: 1 to %d are possible", o.Lanes, mostLanes)
	case o.OutboxBytes < 0 || o.OutboxPackets < 0:
		return fmt.Errorf("relay: an outbox must be bounded: %d bytes, %d packets", o.OutboxBytes, o.OutboxPackets)
	case o.CommandTimeout < 0:
		return fmt.Errorf("relay: command timeout %v: commands must end", o.CommandTimeout)
	}
	return nil
}
