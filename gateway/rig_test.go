package gateway

import (
	"context"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

// patience is how long a test waits for what must come; machines are busy.
const patience = 30 * time.Second

func TestMain(m *testing.M) { leak.Main(m) }

// A rig is a gateway on a bus of its own, reachable over both carriers, and a second bus to publish from.
type rig struct {
	tb        testing.TB
	gateway   *Gateway
	bus       *bus.Bus // the gateway's
	publisher *bus.Bus
	url       string
	tcp       string
	group     *run.Group
	tight     bool // the kernel keeps little for clients that don't read
}

// tightListener gives its connections small send buffers, so that a client that does not read is felt soon.
type tightListener struct{ net.Listener }

func (l tightListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		err = conn.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return conn, err
}

func newRig(tb testing.TB, opts *Options) *rig {
	tb.Helper()
	r := newBuses(tb)
	r.open(opts)
	return r
}

// newTightRig is newRig with little room for clients that don't read.
func newTightRig(tb testing.TB, opts *Options) *rig {
	tb.Helper()
	r := newBuses(tb)
	r.tight = true
	r.open(opts)
	return r
}

func newBuses(tb testing.TB) *rig {
	tb.Helper()
	hub := relay.NewHub(nil)
	return &rig{tb: tb, bus: newBus(tb, hub, "gw-1"), publisher: newBus(tb, hub, "publisher")}
}

func (r *rig) open(opts *Options) {
	r.tb.Helper()
	g, err := New(r.bus, quiet(opts))
	if err != nil {
		r.tb.Fatal(err)
	}
	r.serve(g)
}

// quiet is the options without a log.
func quiet(opts *Options) *Options {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &o
}

func newBus(tb testing.TB, hub *relay.Hub, name string) *bus.Bus {
	tb.Helper()
	b, err := bus.New(tb.Context(), hub.Relay(), &bus.Options{Name: name, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { check(tb, b.Close()) })
	return b
}

// serve opens both doors of the gateway.
func (r *rig) serve(g *Gateway) {
	r.tb.Helper()
	r.gateway = g
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.tb.Fatal(err)
	}
	server := httptest.NewUnstartedServer(g)
	if r.tight {
		l, server.Listener = tightListener{l}, tightListener{server.Listener}
	}
	server.Start()
	r.url, r.tcp = "ws"+strings.TrimPrefix(server.URL, "http"), l.Addr().String()
	r.group = run.New(context.Background())
	r.group.Go(func() {
		if err := g.ServeTCP(r.group.Context(), l); err != nil {
			r.tb.Errorf("ServeTCP: %v", err)
		}
	})
	r.tb.Cleanup(func() {
		check(r.tb, g.Close())
		server.Close()
		r.group.Stop()
		r.group.Wait()
	})
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Error(err)
	}
}

// ctx ends after what a test waits for.
func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(r.tb.Context(), patience)
	r.tb.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition that nothing signals.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	end := time.After(patience)
	for look := time.Tick(time.Millisecond); !ok(); {
		select {
		case <-look:
		case <-end:
			tb.Fatalf("never: %s", what)
		}
	}
}
