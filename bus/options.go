package bus

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options change a Bus. The zero value of a field means its default; a nil *Options means all defaults.
type Options struct {
	// Name is the node's readable name, 255 bytes at most; it need not be unique. Default: the host's name.
	Name string
	// Prefix begins every Redis channel; nodes of one cluster share it. Default: "ackbus:".
	Prefix string
	// Lanes is how many pub/sub connections the node holds; all nodes of a cluster have the same. Default: 4. Open alone reads it.
	Lanes int
	// Observer is a short-lived client such as a command: it sends and receives reports, and nobody counts on its subscriptions.
	Observer bool
	// Timeout is how long a request may take whose context has no deadline. Default: 5 s; at most MaxTimeout.
	Timeout time.Duration
	// MaxBody is how many bytes a body may have. Default: 1 MiB.
	MaxBody int
	// MaxAwaited is how many deliveries may await an acknowledgement on this node; more are rejected as overloaded. Default: 1,000,000.
	MaxAwaited int
	// QueueSize is how many messages wait for one subscription's handler; more are rejected as overloaded. Default: 4,096.
	QueueSize int
	// Logger takes what an operator should know. Default: slog.Default().
	Logger *slog.Logger
	// Metrics is where the bus registers its metrics. Default: nowhere.
	Metrics prometheus.Registerer
}

// withDefaults fills in what is not set, and refuses what can't be.
func (o *Options) withDefaults() (Options, error) {
	var filled Options
	if o != nil {
		filled = *o
	}
	if filled.Name == "" {
		filled.Name, _ = os.Hostname()
	}
	if filled.Name == "" {
		filled.Name = "node"
	}
	if err := checkName("node", filled.Name); err != nil {
		return filled, fmt.Errorf("bus: Options.Name: %w", err)
	}
	if filled.Prefix == "" {
		filled.Prefix = "ackbus:"
	}
	if filled.Logger == nil {
		filled.Logger = slog.Default()
	}
	if filled.Timeout == 0 {
		filled.Timeout = 5 * time.Second
	}
	if filled.Timeout < 0 || filled.Timeout > MaxTimeout {
		return filled, fmt.Errorf("bus: Options.Timeout is %v: want more than 0, and %v at most", filled.Timeout, MaxTimeout)
	}
	for _, n := range []struct {
		field    *int
		name     string
		fallback int
	}{{&filled.Lanes, "Lanes", 4}, {&filled.MaxBody, "MaxBody", 1 << 20}, {&filled.MaxAwaited, "MaxAwaited", 1_000_000},
		{&filled.QueueSize, "QueueSize", 4096}} {
		if *n.field == 0 {
			*n.field = n.fallback
		}
		if *n.field < 0 {
			return filled, fmt.Errorf("bus: Options.%s is %d: want more than 0", n.name, *n.field)
		}
	}
	return filled, nil
}
