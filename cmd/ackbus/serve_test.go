package main

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/gateway"
	"github.com/ackbus/ackbus/internal/redistest"
)

// receipt is what these tests look at of one.
type receipt struct {
	ID, Outcome string
	Expected    int
	Deliveries  []struct {
		Node, Carrier, Outcome string
		Reply                  json.RawMessage
	}
}

func parse[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// answer is an answer over HTTP.
type httpAnswer struct {
	status int
	body   string
	header http.Header
}

func call(t *testing.T, method, url, body string, headers ...string) httpAnswer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // no idle connection is left behind
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	p, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return httpAnswer{res.StatusCode, string(p), res.Header}
}

// eventually polls a condition that nothing tells about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("in vain: ", what)
		}
	}
}

// The whole way: two nodes, a client on each carrier at one of them, requests by HTTP at the other and by command.
func TestTwoNodesThreeCarriers(t *testing.T) {
	redis := redistest.Shared(t).URL()
	gw1, gw2 := serveReady(t, "--redis", redis, "--name", "gw-1"), serveReady(t, "--redis", redis, "--name", "gw-2")
	connected(t, gw2.websocket, "--user", "json", "--group", "all", "--reply", `{"from":"json"}`)
	connected(t, gw2.websocket, "--user", "msgpack", "--group", "all", "--codec", "msgpack", "--reply", `{"from":"msgpack"}`)
	tcp := connected(t, gw2.tcp, "--user", "tcp", "--group", "all", "--reply", `{"from":"tcp"}`)
	connected(t, gw1.tcp, "--user", "no", "--reply", "nack")
	for user, carrier := range map[string]string{"json": "websocket", "msgpack": "websocket", "tcp": "tcp"} {
		a := call(t, http.MethodPost, gw1.http+"/v1/request", `{"to":"user:`+user+`","event":"pay","data":{"amount":100}}`)
		r := parse[receipt](t, a.body)
		if a.status != http.StatusOK || len(r.Deliveries) != 1 || r.Deliveries[0].Node != "gw-2" || r.Deliveries[0].Carrier != carrier ||
			string(r.Deliveries[0].Reply) != `{"from":"`+user+`"}` {
			t.Errorf("%s: %d %s", user, a.status, a.body)
		}
	}
	tcp.out.await(t, `"data":{"amount":100}`, tcp.done)

	got := runCommand(t, "request", "--redis", redis, "--json", "group:all", "pay", "[1]", "--require", "all")
	if r := parse[receipt](t, got.out); got.code != exitDone || r.Outcome != "confirmed" || r.Expected != 3 {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	for to, outcome := range map[string]string{"user:no": "rejected", "user:nobody": "no_receiver"} {
		got := runCommand(t, "request", "--redis", redis, "--json", to, "pay")
		if r := parse[receipt](t, got.out); got.code != exitFailed || r.Outcome != outcome {
			t.Errorf("%s: %d %s%s", to, got.code, got.out, got.err)
		}
		if got = runCommand(t, "request", "--redis", redis, to, "pay"); got.code != exitFailed || !strings.HasPrefix(got.out, outcome) {
			t.Errorf("%s: %d %s%s", to, got.code, got.out, got.err)
		}
	}
	got = runCommand(t, "publish", "--redis", redis, "--json", "group:all", "news", `"hello"`)
	if p := parse[struct{ Receivers int }](t, got.out); got.code != exitDone || p.Receivers != 1 {
		t.Errorf("publish: %d %s%s", got.code, got.out, got.err)
	}
	tcp.out.await(t, `"data":"hello"`, tcp.done)
	listings(t, redis, gw1)
}

func listings(t *testing.T, redis string, gw1 *server) {
	got := runCommand(t, "nodes", "--redis", redis, "--json")
	var names []string
	for _, n := range parse[struct{ Nodes []api.Node }](t, got.out).Nodes {
		if !n.Observer {
			names = append(names, n.Name)
		}
	}
	if got.code != exitDone || strings.Join(names, " ") != "gw-1 gw-2" {
		t.Errorf("nodes: %d %s%s", got.code, got.out, got.err)
	}
	got = runCommand(t, "sockets", "--redis", redis, "--json", "--user", "tcp")
	one := parse[struct {
		Sockets []gateway.SocketInfo
		Total   int
	}](t, got.out)
	if got.code != exitDone || one.Total != 1 || one.Sockets[0].Node != "gw-2" || one.Sockets[0].Carrier != "tcp" {
		t.Errorf("sockets: %d %s%s", got.code, got.out, got.err)
	}
	for _, args := range []string{"nodes", "sockets"} {
		got := runCommand(t, args, "--redis", redis)
		if got.code != exitDone || !strings.Contains(got.out, "gw-2") || !strings.Contains(got.out, "│") {
			t.Errorf("%s: %d %s%s", args, got.code, got.out, got.err)
		}
	}
	if a := call(t, http.MethodGet, gw1.http+"/v1/sockets?limit=2", ""); !strings.Contains(a.body, `"total":4`) {
		t.Errorf("/v1/sockets: %s", a.body)
	}
	metrics := call(t, http.MethodGet, gw1.http+"/metrics", "").body
	for _, name := range []string{"ackbus_build_info{", "go_goroutines", "process_resident_memory_bytes",
		`ackbus_requests_total{outcome="confirmed"} 3`} {
		if !strings.Contains(metrics, name) {
			t.Errorf("/metrics lacks %s", name)
		}
	}
}

// SIGTERM: the client is told, the acknowledgement in flight and the HTTP request that waits for it still arrive, and it ends with 0.
func TestDrain(t *testing.T) {
	redis := redistest.Shared(t).URL()
	gw := serveReady(t, "--redis", redis)
	slow := connected(t, gw.websocket, "--user", "slow", "--delay", "500ms")
	held := hold(t, gw)
	answers := make(chan httpAnswer, 2)
	for _, to := range []string{"slow", "held"} {
		go func() { // ends with the answer
			answers <- call(t, http.MethodPost, gw.http+"/v1/request", `{"to":"user:`+to+`","event":"e","timeout_ms":60000}`)
		}()
	}
	slow.out.await(t, `"event":"e"`, slow.done)
	id := held.read("message")
	gw.signal(syscall.SIGTERM)
	gw.logged("draining")
	for target, status := range map[string]int{"/livez": 200, "/readyz": 503, "/metrics": 200} {
		if a := call(t, http.MethodGet, gw.http+target, ""); a.status != status {
			t.Errorf("%s while it drains: %d %s", target, a.status, a.body)
		}
	}
	held.write(`{"type":"ack","id":"` + id + `"}`)
	for range cap(answers) {
		if a := <-answers; a.status != http.StatusOK {
			t.Errorf("a request in flight: %d %s", a.status, a.body)
		}
	}
	slow.logged("the server is going away")
	if code := gw.wait(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	if s := gw.err.String(); !strings.Contains(s, `"stopped"`) || strings.Contains(s, "drained in part") {
		t.Errorf("the log: %s", s)
	}
}

// What is not acknowledged within --drain is closed, and the end is a good one all the same.
func TestDrainEndsInTime(t *testing.T) {
	gw := serveReady(t, "--redis", redistest.Shared(t).URL(), "--drain", "200ms")
	silent := connected(t, gw.tcp, "--user", "silent", "--reply", "none", "--no-reconnect")
	answers := make(chan error, 1)
	go func() { // ends when the server closes the connection, or with the answer
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gw.http+"/v1/request",
			strings.NewReader(`{"to":"user:silent","event":"e","timeout_ms":60000}`))
		if err == nil {
			req.Close = true
			var res *http.Response
			if res, err = http.DefaultClient.Do(req); err == nil {
				err = res.Body.Close()
			}
		}
		answers <- err
	}()
	silent.out.await(t, `"event":"e"`, silent.done)
	began := time.Now()
	gw.signal(syscall.SIGTERM)
	if code := gw.wait(); code != exitDone || time.Since(began) > 10*time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(began))
	}
	<-answers // whichever it was
	if code := silent.wait(); code != exitFailed {
		t.Errorf("the client without reconnect: exit code %d", code)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	gw := serveReady(t, "--redis", redistest.Shared(t).URL(), "--drain", "1h")
	silent := connected(t, gw.tcp, "--user", "silent", "--reply", "none")
	held := start(t, "request", "--redis", redistest.Shared(t).URL(), "user:silent", "held", "--timeout", "10m")
	silent.out.await(t, `"event":"held"`, silent.done)
	gw.signal(syscall.SIGTERM)
	gw.logged("draining")
	silent.logged("the server is going away")
	gw.signal(syscall.SIGTERM)
	if code := gw.wait(); code == exitDone {
		t.Error("it ended as if it had drained")
	}
	if code := held.wait(); code != exitFailed {
		t.Errorf("the request that it held: %d", code)
	}
	if r := held.out.String(); !strings.HasPrefix(r, "unknown") && !strings.HasPrefix(r, "closed") {
		t.Errorf("the request that it held: %s", r)
	}
}

// Without a Redis there is an embedded one, which others can join by the URL that is printed.
func TestEmbedded(t *testing.T) {
	gw1 := serveReady(t, "--name", "gw-1", "--embedded", "127.0.0.1:0")
	var url string
	for line := range strings.Lines(gw1.err.String()) {
		if strings.Contains(line, "embedded Redis") {
			url, _ = parse[map[string]any](t, line)["url"].(string)
		}
	}
	if !strings.HasPrefix(url, "redis://127.0.0.1:") || !strings.Contains(gw1.err.String(), "development") {
		t.Fatalf("the log: %s", gw1.err)
	}
	gw2 := serveReady(t, "--name", "gw-2", "--redis", url)
	connected(t, gw2.tcp, "--user", "42")
	got := runCommand(t, "request", "--redis", url, "user:42", "e", "--json")
	if r := parse[receipt](t, got.out); got.code != exitDone || r.Deliveries[0].Node != "gw-2" {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	for _, gw := range []*server{gw2, gw1} {
		gw.signal(syscall.SIGINT)
		if code := gw.wait(); code != exitDone {
			t.Errorf("exit code %d", code)
		}
	}
}

func TestAuthAndKeys(t *testing.T) {
	redis := redistest.Shared(t).URL()
	gw := serveReady(t, "--redis", redis, "--auth", "jwt", "--jwt-secret", secret, "--api-key", "k1", "--api-key", "k2")
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "42", "exp": inAnHour()})
	connected(t, gw.websocket, "--token", token, "--user", "root")
	connected(t, gw.tcp, "--token", token)
	for _, url := range []string{gw.websocket, gw.tcp, gw.websocket + "?token=wrong"} {
		got := runCommand(t, "connect", "--url", url, "--user", "42")
		if got.code != exitFailed || !strings.Contains(got.err, "unauthorized") {
			t.Errorf("%s without a token: %d %s", url, got.code, got.err)
		}
	}
	body := `{"to":"user:42","event":"e","require":2}`
	if a := call(t, http.MethodPost, gw.http+"/v1/request", body); a.status != http.StatusUnauthorized {
		t.Errorf("without a key: %d", a.status)
	}
	if a := call(t, http.MethodPost, gw.http+"/v1/request", body, "Authorization", "Bearer k2"); a.status != http.StatusOK {
		t.Errorf("with a key: %d %s", a.status, a.body)
	}
}

func TestAdmin(t *testing.T) {
	gw := serveReady(t, "--redis", redistest.Shared(t).URL(), "--admin", "127.0.0.1:0", "--tcp", "off", "--api-key", "secret")
	for _, path := range []string{
		"/metrics", "/healthz", "/readyz", "/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/cmdline", "/",
	} {
		if a := call(t, http.MethodGet, gw.admin+path, ""); a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for path, want := range map[string]int{
		"/metrics": http.StatusNotFound, "/debug/pprof/": http.StatusNotFound, "/": http.StatusNotFound, "/healthz": http.StatusOK,
	} {
		if a := call(t, http.MethodGet, gw.http+path, ""); a.status != want {
			t.Errorf("%s at the public address: %d, want %d", path, a.status, want)
		}
	}
	// What the live page shows asks for the key there too, and nothing else of the API is there.
	for path, want := range map[string]int{"/v1/nodes": http.StatusOK, "/v1/queues": http.StatusOK, "/v1/queues/q": http.StatusNotFound} {
		if a := call(t, http.MethodGet, gw.admin+path, "", "Authorization", "Bearer secret"); a.status != want {
			t.Errorf("%s at the admin address: %d, want %d", path, a.status, want)
		}
		if a := call(t, http.MethodGet, gw.admin+path, ""); a.status == http.StatusOK {
			t.Errorf("%s at the admin address is open", path)
		}
	}
	if gw.tcp != "" {
		t.Errorf("--tcp off listens at %s", gw.tcp)
	}
}

// A node whose Redis goes away for long stays alive, says that it is not ready, and sends its clients elsewhere; when the
// Redis is back it works again.
func TestRedisOutage(t *testing.T) {
	redis := redistest.Start(t)
	gw := serveReady(t, "--redis", redis.URL())
	client := connected(t, gw.websocket, "--user", "42")
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	client.logged("the server is going away")
	eventually(t, "it is not ready", func() bool {
		return call(t, http.MethodGet, gw.http+"/readyz", "").status == http.StatusServiceUnavailable
	})
	if a := call(t, http.MethodGet, gw.http+"/healthz", ""); a.status != http.StatusOK {
		t.Errorf("/healthz: %d", a.status)
	}
	a := call(t, http.MethodPost, gw.http+"/v1/request", `{"to":"user:42","event":"e"}`)
	if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, `"unavailable"`) {
		t.Errorf("a request meanwhile: %d %s", a.status, a.body)
	}
	if err := redis.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a request is confirmed again", func() bool {
		return call(t, http.MethodPost, gw.http+"/v1/request", `{"to":"user:42","event":"e","timeout_ms":1000}`).status == http.StatusOK
	})
}

func TestPortTaken(t *testing.T) {
	gw := serveReady(t, "--redis", redistest.Shared(t).URL(), "--tcp", "off")
	taken := strings.TrimPrefix(gw.http, "http://")
	got := runCommand(t, "serve", "--redis", redistest.Shared(t).URL(), "--listen", taken, "--tcp", "off")
	if got.code != exitFailed || !strings.Contains(got.err, "--listen") {
		t.Errorf("%d %s", got.code, got.err)
	}
}

func TestAPIKeyFileIsUsed(t *testing.T) {
	got := runCommand(t, "serve", "--api-key-file", filepath.Join(t.TempDir(), "none"))
	if got.code != exitUsage {
		t.Errorf("%d %s", got.code, got.err)
	}
}
