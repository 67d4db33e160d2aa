package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// wireTimeout is how long written bytes may stay unacknowledged by the other side's kernel.
const wireTimeout = 3 * time.Second

// errDialedOnce keeps go-redis from reconnecting by itself: it would subscribe to everything in one command, and nobody would
// learn of the gap.
var errDialedOnce = errors.New("relay: the connection ended")

func dialNetwork(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
		Control:         limitUnacknowledged,
	}
	return d.DialContext(ctx, network, address)
}

// A dialer opens connections to where the URL points.
type dialer struct {
	target
	timeout time.Duration
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

func newDialer(t target, opts *Options) *dialer {
	return &dialer{target: t, timeout: opts.CommandTimeout, dial: opts.Dial}
}

// open dials the server, or the master that the sentinels name. ctx bounds the call.
func (d *dialer) open(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	network, addr := d.options.Network, d.options.Addr
	if d.master != "" {
		var err error
		if addr, err = d.findMaster(ctx); err != nil {
			return nil, err
		}
	}
	return d.openAt(ctx, network, addr)
}

func (d *dialer) openAt(ctx context.Context, network, addr string) (*link, error) {
	raw, err := d.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := raw
	if d.options.TLSConfig != nil {
		secured := tls.Client(raw, d.options.TLSConfig)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // the handshake's error says more
			return nil, fmt.Errorf("TLS handshake with %s: %w", addr, err)
		}
		conn = secured
	}
	l := newLink(&d.options, newWire(conn, raw), d.timeout, true)
	l.addr = addr
	return l, nil
}

// newLink makes the client whose only connection is the wire, and which learns its identity where that is of use.
func newLink(template *redis.Options, w *wire, timeout time.Duration, identify bool) *link {
	opts := *template
	opts.TLSConfig = nil // done already
	opts.Protocol = 2    // RESP3 mixes messages and replies, and lost messages in more than one release of go-redis
	opts.MaxRetries = -1 // a retried PUBLISH may happen twice
	opts.ContextTimeoutEnabled = true
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	opts.PoolSize, opts.MinIdleConns, opts.PipelinePoolSize, opts.DialerRetries = 1, 0, -1, 1
	opts.ReadTimeout, opts.WriteTimeout, opts.DialTimeout = timeout, timeout, timeout
	opts.ReadBufferSize, opts.WriteBufferSize = 64<<10, 64<<10
	opts.ConnMaxIdleTime, opts.ConnMaxLifetime = -1, 0
	var dialed atomic.Bool
	opts.Dialer = func(context.Context, string, string) (net.Conn, error) {
		if dialed.Swap(true) {
			return nil, errDialedOnce
		}
		return w, nil
	}
	l := &link{wire: w}
	if identify {
		opts.OnConnect = l.identify
	}
	l.client = redis.NewClient(&opts)
	return l
}
