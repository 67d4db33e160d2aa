package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/cmd/ackbus/internal/load"
	"github.com/ackbus/ackbus/internal/redistest"
)

// benched is what these tests look at of a result.
type benched struct {
	To, Carrier, URL                                  string
	Clients, Requests, Unmet, Unsent, Abandoned, Rate int
	PerSecond                                         float64 `json:"per_second"`
	Sent                                              int     `json:"data_bytes_sent"`
	Received                                          int     `json:"bytes_received"`
	Outcomes                                          []struct {
		Outcome  string
		Met      bool
		Error    string
		Requests int
		Latency  struct {
			Min, P50, P99, Max float64
			P999               float64 `json:"p99_9"`
		} `json:"latency_ms"`
	}
}

// benchRun runs a bench with its result as JSON.
func benchRun(t *testing.T, code int, args ...string) benched {
	t.Helper()
	got := runCommand(t, append([]string{"bench", "--json"}, args...)...)
	if got.code != code {
		t.Fatalf("%v: exit code %d, want %d: %s%s", args, got.code, code, got.out, got.err)
	}
	return parse[benched](t, got.out)
}

func TestBenchWithOwnClients(t *testing.T) {
	redis := redistest.Shared(t).URL()
	for _, carrier := range []string{"websocket", "tcp", "handler"} {
		r := benchRun(t, exitDone, "--redis", redis, "--carrier", carrier, "--requests", "200", "--in-flight", "8", "--clients", "3",
			"--size", "50")
		if r.Carrier != carrier || r.Clients != 3 || r.Requests != 200 || r.Unmet != 0 || r.Sent != 10_000 || r.PerSecond <= 0 ||
			len(r.Outcomes) != 1 || r.Outcomes[0].Outcome != "confirmed" || r.Outcomes[0].Requests != 200 {
			t.Errorf("%s: %+v", carrier, r)
			continue
		}
		if l := r.Outcomes[0].Latency; !(0 < l.Min && l.Min <= l.P50 && l.P50 <= l.P99 && l.P99 <= l.P999 && l.P999 <= l.Max) {
			t.Errorf("%s: %+v", carrier, l)
		}
	}
}

func TestBenchAddress(t *testing.T) {
	redis := redistest.Shared(t).URL()
	gw := serveReady(t, "--redis", redis)
	connected(t, gw.tcp, "--user", "yes", "--reply", `"12345"`)
	connected(t, gw.tcp, "--user", "no", "--reply", "nack")
	r := benchRun(t, exitDone, "user:yes", "--redis", redis, "--requests", "50", "--rate", "500", "--size", "0")
	if r.To != "user:yes" || r.Requests != 50 || r.Received != 50*7 || r.Sent != 0 || r.Rate != 500 || r.Carrier != "" {
		t.Errorf("%+v", r)
	}
	r = benchRun(t, exitFailed, "user:no", "--redis", redis, "--requests", "20")
	if r.Unmet != 20 || len(r.Outcomes) != 1 || r.Outcomes[0].Outcome != "rejected" || r.Outcomes[0].Met {
		t.Errorf("%+v", r)
	}
	r = benchRun(t, exitDone, "user:no", "--redis", redis, "--requests", "20", "--level", "written")
	if r.Unmet != 0 || r.Outcomes[0].Outcome != "written" {
		t.Errorf("%+v", r)
	}
}

func TestBenchOverHTTP(t *testing.T) {
	gw := serveReady(t, "--redis", redistest.Shared(t).URL(), "--api-key", "secret", "--api-rate", "40")
	r := benchRun(t, exitFailed, "--url", gw.http, "--api-key", "secret", "--requests", "100", "--clients", "2", "--timeout", "10s")
	if r.URL != gw.http || r.Requests != 100 || len(r.Outcomes) != 2 || r.Received < 1000 ||
		r.Outcomes[0].Outcome != "confirmed" || r.Outcomes[1].Outcome != "rate_limited" || r.Outcomes[1].Error == "" {
		t.Errorf("%+v", r)
	}
	got := runCommand(t, "bench", "--url", gw.http, "--requests", "1")
	if got.code != exitFailed || !strings.Contains(got.err, "--api-key") {
		t.Errorf("without the key: %d %s", got.code, got.err)
	}
	got = runCommand(t, "bench", "--url", "http://127.0.0.1:1", "--requests", "1")
	if got.code != exitUnreachable || !strings.Contains(got.err, "can't reach the node") {
		t.Errorf("nobody there: %d %s", got.code, got.err)
	}
}

// A node that authenticates refuses clients of the bench's own, and the message says what to do.
func TestBenchRefused(t *testing.T) {
	gw := serveReady(t, "--redis", redistest.Shared(t).URL(), "--auth", "jwt", "--jwt-secret", secret)
	got := runCommand(t, "bench", "--url", gw.http, "--requests", "1")
	if got.code != exitFailed || !strings.Contains(got.err, "ackbus connect --token") {
		t.Errorf("%d %s", got.code, got.err)
	}
}

// What answers, but is no node, is told apart.
func TestBenchAgainstSomethingElse(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("a proxy is sorry"))
		}
	}))
	defer other.Close()
	r := benchRun(t, exitFailed, "user:1", "--url", other.URL, "--requests", "3")
	if len(r.Outcomes) != 1 || r.Outcomes[0].Outcome != "HTTP 502" || r.Outcomes[0].Error != "Bad Gateway" {
		t.Errorf("%+v", r)
	}
}

// Ctrl-C ends it with the table so far.
func TestBenchBrokenOff(t *testing.T) {
	redis := redistest.Shared(t).URL()
	gw := serveReady(t, "--redis", redis)
	client := connected(t, gw.tcp, "--user", "42")
	p := start(t, "bench", "user:42", "--redis", redis, "--duration", "1h", "--rate", "50")
	client.out.await(t, `"event":"bench"`, client.done)
	began := time.Now()
	p.signal(syscall.SIGINT)
	if code := p.wait(); time.Since(began) > 10*time.Second || code != exitDone && code != exitFailed { // 1 if nothing was answered yet
		t.Errorf("exit code %d after %v", code, time.Since(began))
	}
	if out := p.out.String(); !strings.Contains(out, "requests in") || !strings.Contains(out, "user:42") {
		t.Errorf("printed %q", out)
	}
}

func TestBenchTable(t *testing.T) {
	b := &bench{carrier: "tcp", clients: 3, inFlight: 1200, size: 128, rate: 2000}
	r := &load.Result{Requests: 12_345, Unmet: 345, Took: 10 * time.Second, Unsent: 7, Abandoned: 2, Rows: []load.Row{
		{Outcome: "confirmed", Met: true, Requests: 12_000, Latencies: load.Latencies{P50: 1234 * time.Microsecond, Max: time.Second}},
		{Outcome: "unavailable", Failed: true, Requests: 345, Text: "Redis\ncan't be reached"},
	}}
	var page strings.Builder
	if err := b.report(&page, r); exitCode(err) != exitFailed {
		t.Errorf("got %v", err)
	}
	for _, words := range []string{
		"3 own clients (tcp) through Redis, 2000 a second, 1,200 in flight, 128 B", "12,345 requests in 10.00 s: 1,234 a second, 158.0 kB",
		"12,000", "97.21%", "1.23", "1000.00", "7 were due", "2 were under way", "unavailable: Redis\uFFFDcan't be reached",
		"from when a request was due",
	} {
		if !strings.Contains(page.String(), words) {
			t.Errorf("%q is missing in\n%s", words, page.String())
		}
	}
}

func TestBarLine(t *testing.T) {
	p := load.Progress{Done: 0.5, Requests: 1, Unmet: 1234, Rate: 123_456, P50: 1500 * time.Microsecond, P99: 12 * time.Millisecond,
		Left: 5 * time.Second}
	got := barLine(p)
	if want := "[########........]  50%  123,456/s  p50 1.50  p99 12.00 ms  1,234 failed  5 s"; got != want || len(got) > 80 {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got = barLine(load.Progress{Done: 1}); !strings.Contains(got, "####] 100%") {
		t.Errorf("got %q", got)
	}
}
