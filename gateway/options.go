package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ackbus/ackbus/bus"
)

// Options change a Gateway. The zero value of a field means its default, a negative limit turns it off; a nil *Options means all
// defaults. The hooks are called from many goroutines at once.
type Options struct {
	// Authenticate says who a client is. Nil: authentication is off, and the user and the groups that a client names are
	// taken at their word. ctx ends with HelloTimeout. An error closes the socket (4001); the message of a
	// *bus.Rejection reaches the client, the text of other errors is logged only.
	Authenticate func(ctx context.Context, c Credentials) (Identity, error)
	// Authorize is asked before a client joins a group, sends or calls. Nil: everything is allowed where authentication is
	// off, nothing where it is on. An error refuses (forbidden), its text is treated as that of Authenticate.
	Authorize func(ctx context.Context, a Action) error
	// Call answers the call frames of clients. ctx ends with the time that the client gives, and when the client has gone. A
	// *CallError or a *bus.Rejection chooses the code that the client reads; an error that wraps context.DeadlineExceeded
	// is timeout, any other internal. Nil: every call is unknown_method.
	Call func(ctx context.Context, who Identity, method string, body bus.Body) (bus.Body, error)

	// AllowedOrigins lists the origins whose pages may open a WebSocket, as in "https://app.example.com"; "*" allows all.
	// A page of the gateway's own host always may, and so may a client that sends no Origin header: only browsers do,
	// and only they carry somebody else's cookies. Default: none besides.
	AllowedOrigins []string

	// HelloTimeout is how long a client may take to say hello and to be authenticated. Default: 5 s.
	HelloTimeout time.Duration
	// PingInterval is the time between heartbeats; a client is closed after two missed. Default: 25 s; negative: no heartbeats.
	PingInterval time.Duration
	// WriteTimeout is how long one write may block before the client is closed as too slow. Default: 10 s; negative: forever.
	// A write never blocks for longer than 2 s past the deadline of what it writes.
	WriteTimeout time.Duration
	// FrameTimeout is how long a frame may take to come, from its first bytes on, before the client is closed. Default: 30 s; negative:
	// forever.
	FrameTimeout time.Duration
	// CloseTimeout is how long a closing socket waits for its peer to close too. Default: 1 s; it can't be turned off.
	CloseTimeout time.Duration
	// ReconnectDelay is what the drain frame tells clients to wait before they connect again. Default: 1 s; negative: 0.
	ReconnectDelay time.Duration
	// RedisPatience is for how long Redis may be out of reach before clients are told to leave and new ones are refused,
	// until it is reached again. Default: 3 s; negative: forever.
	RedisPatience time.Duration

	// MaxFrame is how many bytes a client's frame may have; before it is known, 64 KiB are enough. Default: 1 MiB.
	MaxFrame int
	// MaxConnections is how many sockets may be open. Default: unlimited.
	MaxConnections int
	// MaxGroups is how many groups one socket may be in. Default: 100.
	MaxGroups int
	// MaxOperations is how many joins, leaves, sends and calls of one socket may be under way; more are refused
	// (overloaded). Default: 64.
	MaxOperations int
	// QueueMessages and QueueBytes bound what waits for one socket beside what is being written to it; over either the client
	// is closed as too slow (4008). One message may be larger than QueueBytes if it waits alone. Default: 4,096 and 1 MiB.
	QueueMessages int
	QueueBytes    int
	// NodeQueueBytes bounds what waits to be written to all sockets; over it volatile messages are dropped and the
	// fullest sockets closed as too slow. Default: 128 MiB.
	NodeQueueBytes int
	// NodeReceiveBytes bounds what is held of all frames together that have not come to their end, or are being decoded, beyond the
	// first 4 KiB of each; over it the clients with the largest are closed (1013). Default: 32 MiB.
	NodeReceiveBytes int
	// VolatileQueue is how many messages may be waiting for a socket that still counts as ready for a volatile one. Default: 16;
	// negative: a volatile message is taken only by a socket with nothing to write.
	VolatileQueue int
	// Rate is how many frames a second one client may send, acknowledgements aside; more are refused (rate_limited). Burst is
	// how many may come at once. Default: unlimited; the default burst is one second's worth.
	Rate  float64
	Burst int
	// HandshakeRate is how many sockets a second one remote address may open; HandshakeBurst is how many at once. Default:
	// unlimited; the default burst is ten seconds' worth.
	HandshakeRate  float64
	HandshakeBurst int
	// AdmitRate is how many sockets a second the node takes; AdmitBurst is how many at once. Further ones wait for their turn,
	// AdmitWait and 4,096 at most, and are refused beyond (overloaded). Default: 500 for each processor, a fifth of a second's worth,
	// and 5 s; a negative rate: as many as come; a negative wait: nobody waits.
	AdmitRate  float64
	AdmitBurst int
	AdmitWait  time.Duration

	// Logger takes what an operator should know. Default: slog.Default().
	Logger *slog.Logger
	// Metrics is where the gateway registers its metrics. Default: nowhere.
	Metrics prometheus.Registerer
}

// off stands for a limit that was turned off.
const off = 1 << 62

// withDefaults returns a copy in which every field has its value: what was turned off is a limit that is never reached.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if err := c.check(); err != nil {
		return c, err
	}
	burst(&c.Burst, c.Rate)
	burst(&c.HandshakeBurst, 10*c.HandshakeRate)
	if c.AdmitRate == 0 {
		c.AdmitRate = admitRate * float64(runtime.GOMAXPROCS(0))
	}
	burst(&c.AdmitBurst, c.AdmitRate/5)
	if c.AdmitWait == 0 {
		c.AdmitWait = 5 * time.Second
	}
	c.AdmitWait = max(c.AdmitWait, 0)
	duration(&c.HelloTimeout, 5*time.Second)
	duration(&c.PingInterval, 25*time.Second)
	duration(&c.WriteTimeout, 10*time.Second)
	duration(&c.FrameTimeout, 30*time.Second)
	duration(&c.CloseTimeout, time.Second)
	duration(&c.RedisPatience, 3*time.Second)
	if c.ReconnectDelay == 0 {
		c.ReconnectDelay = time.Second
	}
	c.ReconnectDelay = max(c.ReconnectDelay, 0)
	limit(&c.MaxFrame, 1<<20)
	limit(&c.MaxConnections, off)
	limit(&c.MaxGroups, 100)
	limit(&c.MaxOperations, 64)
	limit(&c.QueueMessages, 4096)
	limit(&c.QueueBytes, 1<<20)
	limit(&c.NodeQueueBytes, 128<<20)
	limit(&c.NodeReceiveBytes, 32<<20)
	if c.VolatileQueue == 0 {
		c.VolatileQueue = 16
	}
	c.VolatileQueue = max(c.VolatileQueue, 0)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

func (o *Options) check() error {
	if o.CloseTimeout < 0 {
		return errors.New("gateway: CloseTimeout can't be turned off")
	}
	for _, origin := range o.AllowedOrigins {
		if err := checkOrigin(origin); err != nil {
			return fmt.Errorf("gateway: AllowedOrigins: %w", err)
		}
	}
	return nil
}

func duration(d *time.Duration, standard time.Duration) {
	switch {
	case *d == 0:
		*d = standard
	case *d < 0:
		*d = off
	}
}

func limit(n *int, standard int) {
	switch {
	case *n == 0:
		*n = standard
	case *n < 0:
		*n = off
	}
}

// burst defaults to the number given, at least 1. A rate of zero or less is no limit, whatever the burst.
func burst(n *int, standard float64) {
	if *n <= 0 {
		*n = max(int(math.Ceil(standard)), 1)
	}
}
