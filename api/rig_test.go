package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/gateway"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/rpc"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A rig is the API of node "here", with a second node "there" that holds the handlers, over real HTTP.
type rig struct {
	t      *testing.T
	hub    *relay.Hub
	there  *bus.Bus
	here   *bus.Bus
	calls  *rpc.Client
	api    *api.API
	server *httptest.Server
	client *http.Client
	tcp    string // address of the gateway
	doc    *contract
}

func newRig(t *testing.T, opts *api.Options) *rig {
	t.Helper()
	hub := relay.NewHub(nil)
	r := &rig{t: t, hub: hub, here: newBus(t, hub, "here"), there: newBus(t, hub, "there"), doc: readContract(t)}
	g, err := gateway.New(r.here, &gateway.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	r.serveTCP(g)
	if opts == nil {
		opts = &api.Options{}
	}
	opts.Jobs = openJobs(t, r.here)
	r.calls = newCalls(t, r.here)
	opts.Calls = r.calls
	opts.WebSocket, opts.Metrics, opts.Page, opts.Logger = g, prometheus.NewRegistry(), true, quiet()
	a, err := api.New(r.here, opts)
	if err != nil {
		t.Fatal(err)
	}
	r.api = a
	r.server = httptest.NewUnstartedServer(a)
	r.server.Config = api.NewServer(a, quiet())
	r.server.Start()
	t.Cleanup(r.server.Close)
	r.client = r.server.Client()
	eventually(t, "both nodes settle", func() bool { return r.here.Ready() == nil && r.there.Ready() == nil })
	return r
}

func (r *rig) serveTCP(g *gateway.Gateway) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.tcp = l.Addr().String()
	group := run.New(r.t.Context())
	group.Go(func() { _ = g.ServeTCP(group.Context(), l) }) // it ends with the gateway
	r.t.Cleanup(func() {
		_ = g.Close()
		group.Stop()
		group.Wait()
	})
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newBus(t *testing.T, hub *relay.Hub, name string) *bus.Bus {
	t.Helper()
	b, err := bus.New(t.Context(), hub.Relay(), &bus.Options{Name: name, Prefix: redistest.Prefix(t), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// handle answers a topic on the other node.
func (r *rig) handle(topic string, h bus.Handler) {
	r.t.Helper()
	if _, err := r.there.Subscribe(r.t.Context(), bus.Topic(topic), h); err != nil {
		r.t.Fatal(err)
	}
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

type header map[string]string

// call makes one call and holds both sides of it against the document.
func (r *rig) call(method, target, body string, headers ...header) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+target, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		for name, value := range h {
			req.Header.Set(name, value)
		}
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	p, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := answer{res.StatusCode, res.Header, p}
	r.doc.check(r.t, req, body, a)
	return a
}

func (r *rig) post(target, body string, headers ...header) answer {
	r.t.Helper()
	return r.call(http.MethodPost, target, body, headers...)
}

// receipt is what the tests look at of one.
type receipt struct {
	ID         string
	Outcome    string
	Require    string
	Expected   int
	Deliveries []struct {
		Node    string
		Outcome string
		Reply   json.RawMessage
		Error   *bus.Rejection
	}
}

func (a *answer) receipt(t *testing.T) receipt {
	t.Helper()
	var r receipt
	a.decode(t, &r)
	return r
}

func (a *answer) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
}

// unreadable is what no message may be: empty, of more than one line, or about packages.
var unreadable = regexp.MustCompile(`^$|[\r\n]|\b(api|bus|gateway|relay): `)

// failed checks that the answer is an error with the code, whose message holds every one of the words.
func (a *answer) failed(t *testing.T, status int, code string, words ...string) {
	t.Helper()
	var e struct {
		Error struct{ Code, Message string }
	}
	a.decode(t, &e)
	if a.status != status || e.Error.Code != code {
		t.Errorf("got %d %s, want %d %s: %s", a.status, e.Error.Code, status, code, a.body)
	}
	if unreadable.MatchString(e.Error.Message) {
		t.Errorf("the message %q is not for a caller", e.Error.Message)
	}
	for _, word := range words {
		if !strings.Contains(e.Error.Message, word) {
			t.Errorf("the message %q does not name %q", e.Error.Message, word)
		}
	}
}

// patience is how long a test waits for what must come; machines are busy.
const patience = 20 * time.Second

// receive takes what must come.
func receive[T any](t *testing.T, what string, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(patience):
		t.Fatal("in vain: ", what)
	}
	return got
}

// eventually polls a condition that nothing tells about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("in vain: ", what)
		}
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var left, right any
	if err := errors.Join(json.Unmarshal(a, &left), json.Unmarshal(b, &right)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(left, right)
}
