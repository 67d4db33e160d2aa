package main

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// get reads a page of a process.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it was read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// Workers and methods show at an address of their own what they have done, and end with it.
func TestAdminOfRunners(t *testing.T) {
	env := queueEnv(t)
	w := working(t, "shout", "tr a-z A-Z", "--admin", "127.0.0.1:0")
	r := replying(t, "shout", "tr a-z A-Z", "--admin", "127.0.0.1:0")
	ok(t, env, "enqueue", "shout", `"x"`, "--wait", "20s")
	ok(t, env, "call", "shout", `"x"`, "--timeout", "20s")
	for _, c := range []struct {
		p      *process
		logged string
		want   string
	}{
		{w, "working", `ackbus_job_duration_seconds_count{outcome="done",queue="shout"} 1`},
		{r, "ready", `ackbus_calls_total{code="ok",method="shout"} 1`},
	} {
		url, _ := c.p.logged(c.logged)["admin"].(string)
		if status, body := get(t, url+"/metrics"); status != http.StatusOK || !strings.Contains(body, c.want) ||
			!strings.Contains(body, "ackbus_nodes") {
			t.Errorf("%s: %d\n%s", c.logged, status, body)
		}
		for _, path := range []string{"/readyz", "/livez", "/debug/pprof/cmdline"} {
			if status, body := get(t, url+path); status != http.StatusOK {
				t.Errorf("%s %s: %d %s", c.logged, path, status, body)
			}
		}
		c.p.signal(syscall.SIGTERM)
		if code := c.p.wait(); code != exitDone {
			t.Errorf("%s: exit code %d", c.logged, code)
		}
	}
}

// A port that is taken shows at once, before Redis is asked.
func TestAdminPortTaken(t *testing.T) {
	taken, err := listenAdmin(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.close()
	at := strings.TrimPrefix(taken.url(), "http://")
	got := here(t, nil, "work", "q", "--exec", "true", "--admin", at, "--redis", "redis://127.0.0.1:1")
	if got.code != exitFailed || !strings.Contains(got.err, "--admin") || !strings.Contains(got.err, "in use") {
		t.Errorf("%d %s", got.code, got.err)
	}
}
