package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/run"
)

// ClientOptions change a Client. The zero value of a field means its default; a nil *ClientOptions means all defaults.
type ClientOptions struct {
	// Timeout is how long a call may take whose context has no deadline, attempts and all. Default: what the bus gives a request
	// (bus.Options.Timeout, 5 s by default). At most bus.MaxTimeout.
	Timeout time.Duration
	// Interceptors wrap every call, the first outermost.
	Interceptors []Interceptor
	// Logger takes what an operator should know. Default: slog.Default().
	Logger *slog.Logger
}

// A Client calls methods. One serves a whole process: what it knows of the instances' load is what it has under way itself. Its methods
// may be called from many goroutines.
type Client struct {
	bus       *bus.Bus
	timeout   time.Duration // 0: the bus's own
	invoke    Invoker       // c.call within the interceptors; nil where there are none
	log       *slog.Logger
	noOptions callOptions // of the calls that have none
	group     *run.Group
	began     time.Time

	table    atomic.Pointer[table]
	fetching atomic.Bool
	whole    atomic.Bool           // the table has once been up to date
	served   map[uuid.UUID]*served // belongs to whoever fetches

	mu      sync.Mutex
	changed chan struct{} // closed with the next table
}

// NewClient makes a client. Nothing is asked of the others before the first call.
func NewClient(b *bus.Bus, opts *ClientOptions) (*Client, error) {
	if b == nil {
		return nil, errors.New("rpc: new client: the bus is nil")
	}
	var o ClientOptions
	if opts != nil {
		o = *opts
	}
	if o.Timeout < 0 || o.Timeout > bus.MaxTimeout {
		return nil, fmt.Errorf("rpc: ClientOptions.Timeout is %v: want more than 0, and %v at most", o.Timeout, bus.MaxTimeout)
	}
	c := &Client{bus: b, timeout: o.Timeout, log: cmp.Or(o.Logger, slog.Default()), group: run.New(context.Background()), began: time.Now(),
		served: make(map[uuid.UUID]*served), changed: make(chan struct{})}
	if len(o.Interceptors) > 0 {
		c.invoke = intercepted(c.carryOut, o.Interceptors)
	}
	return c, nil
}

// Close ends what the client does by itself, the streams that it reads and the calls of every instance, and does not wait for the
// bodies of their loops. Other calls under way go on; the bus ends them. It is idempotent.
func (c *Client) Close() error {
	c.group.Stop()
	c.group.Wait()
	return nil
}
