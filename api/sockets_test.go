package api_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
)

// connect lets a user in over TCP and returns once it is welcome.
func (r *rig) connect(user, groups string) (net.Conn, *bufio.Reader) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.tcp)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, `{"type":"hello","user":%q,"groups":[%s]}`+"\n", user, groups); err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewReader(conn)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, `"welcome"`) {
		r.t.Fatalf("got %s, %v", line, err)
	}
	return conn, lines
}

type listing struct {
	Sockets []gateway.SocketInfo
	Total   int
}

func TestSockets(t *testing.T) {
	r := newRig(t, nil)
	a := r.call(http.MethodGet, "/v1/sockets", "")
	if string(a.body) != `{"sockets":[],"total":0}`+"\n" {
		t.Errorf("nobody: %s", a.body)
	}
	r.connect("ä/1", `"news"`)
	r.connect("2", "")
	var all, one, first listing
	a = r.call(http.MethodGet, "/v1/sockets", "")
	a.decode(t, &all)
	if len(all.Sockets) != 2 || all.Total != 2 {
		t.Errorf("all: %s", a.body)
	}
	a = r.call(http.MethodGet, "/v1/sockets?user="+url.QueryEscape("ä/1"), "")
	a.decode(t, &one)
	if s := one.Sockets; len(s) != 1 || s[0].User != "ä/1" || s[0].Carrier != "tcp" || s[0].Node != "here" || len(s[0].Groups) != 1 {
		t.Errorf("one: %s", a.body)
	}
	a = r.call(http.MethodGet, "/v1/sockets?limit=1", "")
	a.decode(t, &first)
	if len(first.Sockets) != 1 || first.Total != 2 {
		t.Errorf("first: %s", a.body)
	}
}

func TestRequestToASocket(t *testing.T) {
	r := newRig(t, nil)
	conn, lines := r.connect("42", "")
	closed := make(chan struct{})
	go func() { // ends with the connection, which the test closes
		defer close(closed)
		_, _ = lines.ReadString('\n')
		_ = conn.Close()
	}()
	a := r.post("/v1/request", `{"to":"user:42","event":"e"}`)
	if got := a.receipt(t); a.status != http.StatusGone || got.Outcome != "closed" {
		t.Errorf("%d %s", a.status, a.body)
	}
	receive(t, "the connection ends", closed)
}

func TestWebSocketIsMounted(t *testing.T) {
	r := newRig(t, nil)
	a := r.call(http.MethodGet, "/ws?user=42", "")
	if a.status != http.StatusUpgradeRequired && a.status != http.StatusBadRequest {
		t.Errorf("without an upgrade: %d %s", a.status, a.body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL+"/ws?user=42", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range (header{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}) {
		req.Header.Set(name, value)
	}
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("got %s", res.Status)
	}
}

// Bodies count against the intake until their requests have ended.
func TestIntake(t *testing.T) {
	const data = 100 << 10
	r := newRig(t, &api.Options{MaxData: data, MaxIntake: data + 64<<10})
	asked, wait := make(chan struct{}), silent(t)
	r.handle("silent", func(ctx context.Context, m *bus.Message) (bus.Body, error) {
		close(asked)
		return wait(ctx, m)
	})
	body := func(to string) string {
		return `{"to":"topic:` + to + `","event":"e","timeout_ms":10000,"data":"` + strings.Repeat("x", data-2) + `"}`
	}
	ctx, hangUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.server.URL+"/v1/request", strings.NewReader(body("silent")))
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan error, 1)
	go func() { // ends when the test hangs up
		_, err := r.client.Do(req) //nolint:bodyclose // there is no answer
		first <- err
	}()
	receive(t, "the request is under way", asked)
	a := r.post("/v1/request", body("nobody"))
	a.failed(t, http.StatusServiceUnavailable, "overloaded", "bodies")
	if a = r.post("/v1/request", toNobody); a.status != http.StatusNotFound {
		t.Errorf("a small one: %d %s", a.status, a.body)
	}
	hangUp()
	_ = receive(t, "it hangs up", first) // an error, as it should be
	eventually(t, "there is room again", func() bool {
		a := r.post("/v1/request", body("nobody"))
		return a.status == http.StatusNotFound
	})
}
