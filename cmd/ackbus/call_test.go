package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ackbus/ackbus/internal/redistest"
)

// replying starts a node that serves a method with a program.
func replying(t *testing.T, method, program string, args ...string) *process {
	t.Helper()
	p := start(t, append([]string{"reply", method, "--exec", program, "--redis", redistest.Shared(t).URL()}, args...)...)
	p.logged("ready")
	return p
}

// callEnv has a command line in this process use the bus of the test.
func callEnv(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"ACKBUS_REDIS": redistest.Shared(t).URL(), "ACKBUS_PREFIX": redistest.Prefix(t)}
}

// An answered is what call --json prints.
type answered struct {
	Result json.RawMessage
	Error  *struct {
		Code, Message string
		Details       json.RawMessage
	}
	Node    string
	Elapsed float64 `json:"elapsed_ms"`
}

func TestCallAndReply(t *testing.T) {
	env := callEnv(t)
	replying(t, "shout", "tr a-z A-Z", "--name", "r1", "--description", "speaks up", "--method-version", "1.2", "--idempotent")
	replying(t, "tell", `printf '%s %s' "$ACKBUS_CALL_METHOD" "$ACKBUS_CALL_TIMEOUT_MS"`, "--name", "r2")
	if out := ok(t, env, "call", "shout", `{"a":"b"}`); out != "{\"A\":\"B\"}\n" {
		t.Errorf("printed %q", out)
	}
	got := parse[answered](t, ok(t, env, "call", "shout", `"x"`, "--json"))
	if string(got.Result) != `"X"` || got.Node != "r1" || got.Elapsed <= 0 || got.Error != nil {
		t.Errorf("%+v", got)
	}
	env["stdin"] = `"from standard input"`
	if out := ok(t, env, "call", "shout", "-", "--node", "r1"); out != "\"FROM STANDARD INPUT\"\n" {
		t.Errorf("printed %q", out)
	}
	if out := ok(t, env, "call", "shout", "--affinity", "room 7"); out != "\"\"\n" {
		t.Errorf("without data it printed %q", out)
	}
	var left int
	said := parse[string](t, ok(t, env, "call", "tell", "--timeout", "1m"))
	if _, err := fmt.Sscanf(said, "tell %d", &left); err != nil || left < 30_000 || left > 60_000 {
		t.Errorf("the program was told %q", said)
	}
	listed(t, env)
}

func listed(t *testing.T, env map[string]string) {
	t.Helper()
	type listing struct {
		Methods []struct {
			Name, Version, Description string
			Idempotent                 bool
			Instances                  []struct {
				Node  string
				Stats struct{ Calls int }
			}
		}
	}
	l := parse[listing](t, ok(t, env, "methods", "--json"))
	if len(l.Methods) != 2 || l.Methods[0].Name != "shout" || l.Methods[0].Version != "1.2" || l.Methods[0].Description != "speaks up" ||
		!l.Methods[0].Idempotent || l.Methods[1].Idempotent || l.Methods[0].Instances[0].Stats.Calls != 4 {
		t.Errorf("%+v", l)
	}
	out := ok(t, env, "methods")
	for _, word := range []string{"shout", "1.2", "r1", "idempotent, speaks up", "tell", "r2"} {
		if !strings.Contains(out, word) {
			t.Errorf("%q is not in\n%s", word, out)
		}
	}
}

func TestCallErrors(t *testing.T) {
	env := callEnv(t)
	refusing := replying(t, "refuse", `echo '{"left":0}'; echo "no paper" >&2; exit 3`, "--name", "r1")
	replying(t, "flood", `yes`, "--name", "r2")
	for _, c := range []struct {
		args, code string
		exit       int
		words      []string
	}{
		{"refuse", "rejected", exitFailed, []string{"node r1", "exit status 3", `details: {"left":0}`}},
		{"refuses", "unknown_method", exitFailed, []string{"nobody serves refuses", "near are refuse"}},
		{"flood", "too_large", exitFailed, []string{"node r2", "1048576 bytes"}},
		{"refuse --node r2", "unavailable", exitFailed, []string{"no node r2 serves refuse"}},
		{"refuse --stream", "bad_request", exitUsage, []string{"answers with one result", "leave out --stream"}},
		{"refuses --each", "unknown_method", exitFailed, []string{"nobody serves refuses"}},
	} {
		got := here(t, env, append([]string{"call"}, strings.Fields(c.args)...)...)
		if got.code != c.exit || got.out != "" {
			t.Errorf("%s: exit code %d, printed %q", c.args, got.code, got.out)
		}
		for _, word := range append(c.words, c.code) {
			if !strings.Contains(got.err, word) {
				t.Errorf("%s: %q does not say %q", c.args, got.err, word)
			}
		}
		got = here(t, env, append([]string{"call", "--json"}, strings.Fields(c.args)...)...)
		if a := parse[answered](t, got.out); got.code != c.exit || a.Error == nil || a.Error.Code != c.code || a.Result != nil {
			t.Errorf("%s --json: exit code %d, printed %q", c.args, got.code, got.out)
		}
	}
	if said := refusing.logged("the program says"); said["line"] != "no paper" || said["method"] != "refuse" || said["call"] == nil {
		t.Errorf("the log says %v", said)
	}
}

func TestCallEach(t *testing.T) {
	env := callEnv(t)
	replying(t, "who", `echo one`, "--name", "r1")
	replying(t, "who", `echo two`, "--name", "r2")
	eventually(t, "both answer", func() bool {
		got := here(t, env, "call", "who", "--each")
		return got.code == exitDone && strings.Contains(got.out, "r1: \"one\"\n") && strings.Contains(got.out, "r2: \"two\"\n")
	})
	out := ok(t, env, "call", "who", "--each", "--json")
	for line := range strings.Lines(out) {
		if a := parse[answered](t, line); a.Node == "r1" != (string(a.Result) == `"one"`) {
			t.Errorf("%s", line)
		}
	}
	replying(t, "who", `exit 1`, "--name", "r3")
	eventually(t, "the third answers", func() bool {
		got := here(t, env, "call", "who", "--each")
		return got.code == exitFailed && strings.Contains(got.out, "r3: rejected: the program ended with exit status 1\n") &&
			strings.Contains(got.out, "r1: \"one\"\n")
	})
	for range 5 {
		if a := parse[answered](t, ok(t, env, "call", "who", "--json", "--node", "r2")); string(a.Result) != `"two"` || a.Node != "r2" {
			t.Errorf("%+v", a)
		}
	}
}

// SIGTERM lets the calls that run end, and those who call meanwhile find another.
func TestReplyDrains(t *testing.T) {
	env := callEnv(t)
	dir := t.TempDir()
	begun, free := filepath.Join(dir, "begun"), filepath.Join(dir, "free")
	first := replying(t, "work", fmt.Sprintf(`touch %s; while ! [ -e %s ]; do sleep 0.02; done; echo first`, begun, free), "--name", "r1")
	calling := start(t, "call", "work", "--redis", redistest.Shared(t).URL(), "--timeout", "1m")
	eventually(t, "the program runs", func() bool { return exists(begun) })
	replying(t, "work", `echo second`, "--name", "r2")
	first.signal(syscall.SIGTERM)
	first.logged("draining")
	if out := ok(t, env, "call", "work", "--timeout", "10s"); out != "\"second\"\n" {
		t.Errorf("a call meanwhile: %q", out)
	}
	if err := os.WriteFile(free, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := calling.wait(), calling.out.String(); code != exitDone || out != "\"first\"\n" {
		t.Errorf("the call that ran: exit code %d, %q", code, out)
	}
	if code := first.wait(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

// What still runs at the end of --drain is ended, with all that it has started.
func TestReplyDrainsInVain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	p := replying(t, "work", fmt.Sprintf(`trap '' TERM; sh -c 'echo $$ >%s; while :; do sleep 0.05; done'`, file), "--drain", "100ms")
	calling := start(t, "call", "work", "--redis", redistest.Shared(t).URL(), "--timeout", "1m", "--json")
	child := pidIn(t, file)
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	eventually(t, "the program is gone", func() bool { return syscall.Kill(child, 0) != nil || isZombie(child) })
	if code := calling.wait(); code != exitFailed {
		t.Errorf("the call: exit code %d, %s", code, calling.out)
	}
}

// A caller that gives up ends the program.
func TestProgramEndsWithItsCaller(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	replying(t, "work", fmt.Sprintf(`echo $$ >%s; exec sleep 300`, file))
	calling := start(t, "call", "work", "--redis", redistest.Shared(t).URL(), "--timeout", "1m")
	child := pidIn(t, file)
	calling.signal(syscall.SIGINT)
	if code := calling.wait(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	eventually(t, "the program is gone", func() bool { return syscall.Kill(child, 0) != nil || isZombie(child) })
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// pidIn is the process ID that a program writes into the file.
func pidIn(t *testing.T, file string) (pid int) {
	t.Helper()
	eventually(t, "the program runs", func() bool {
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(text), "\n") {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	return pid
}

func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	return err == nil && strings.HasPrefix(after, "Z")
}

// The way over HTTP and over a socket: a method learns whose client calls it, and who may not call does not.
func TestCallThroughServe(t *testing.T) {
	gw := serveReady(t, "--redis", redistest.Shared(t).URL(), "--auth", "jwt", "--jwt-secret", secret, "--api-key", "key")
	replying(t, "whoami", `printf 'user %s' "$ACKBUS_CALL_USER"`, "--name", "r1")
	replying(t, "math.sum", `tr -dc '0-9,' | tr , + | xargs -I% sh -c 'echo $((%))'`)
	eventually(t, "both methods are known", func() bool {
		a := call(t, http.MethodGet, gw.http+"/v1/methods", "", "Authorization", "Bearer key")
		return strings.Contains(a.body, `"whoami"`) && strings.Contains(a.body, `"math.sum"`)
	})
	if a := call(t, http.MethodPost, gw.http+"/v1/call/whoami", ""); a.status != http.StatusUnauthorized {
		t.Errorf("without a key: %d %s", a.status, a.body)
	}
	a := call(t, http.MethodPost, gw.http+"/v1/call/whoami", `{}`, "Authorization", "Bearer key")
	if a.status != http.StatusOK || a.body != "\"user \"\n" {
		t.Errorf("over HTTP: %d %s", a.status, a.body)
	}
	a = call(t, http.MethodPost, gw.http+"/v1/call/math.sum", `[1,2,39]`, "Authorization", "Bearer key")
	if a.status != http.StatusOK || a.body != "42\n" {
		t.Errorf("a sum over HTTP: %d %s", a.status, a.body)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(gw.tcp, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(conn)
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "42", "exp": inAnHour(),
		"ackbus": map[string]any{"call": []string{"who*", "missing"}}})
	for _, step := range [][2]string{
		{`{"type":"hello","token":"` + token + `"}`, `"type":"welcome"`},
		{`{"type":"call","ref":1,"method":"whoami"}`, `{"type":"reply","ref":1,"data":"user 42"}`},
		{`{"type":"call","ref":2,"method":"math.sum","data":[1]}`, `"code":"forbidden"`},
		{`{"type":"call","ref":3,"method":"missing"}`, `"code":"unknown_method"`},
		{`{"type":"send","ref":4,"to":"method:whoami","event":"e"}`, `"code":"forbidden"`},
	} {
		if _, err := fmt.Fprintln(conn, step[0]); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || !strings.Contains(answers.Text(), step[1]) {
			t.Errorf("%s: %s, want %s", step[0], answers.Text(), step[1])
		}
	}
}
