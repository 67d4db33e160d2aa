package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/internal/leak"
)

// runMain tells this test binary to be ackbus: tests of whole processes start it again with this variable.
const runMain = "ACKBUS_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	leak.Main(m)
}

// result is what a command line left behind.
type result struct {
	code     int
	out, err string
}

// here runs a command line in this process, with the given environment alone.
func here(t *testing.T, env map[string]string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	found := func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
	code := execute(t.Context(), args, found, strings.NewReader(env["stdin"]), &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

func TestUsageErrors(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, []byte(`"`+strings.Repeat("x", api.DefaultMaxData-1)+`"`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  string
		words []string
	}{
		{"fly", []string{"unknown command", "fly"}},
		{"request", []string{"2", "3", "ackbus request --help"}},
		{"request user:1", []string{"arg"}},
		{"request user:1 e 1 2", []string{"arg"}},
		{"request nobody e", []string{"kind:name"}},
		{"request user:1 e hello", []string{"not JSON", `'"hello"'`}},
		{"request user:1 e @/does/not/exist", []string{"data", "no such file"}},
		{"request user:1 e -5", []string{"behind --"}},
		{"request user:1 e --require most", []string{"--require", "any, all or a number"}},
		{"request user:1 e --level read", []string{"--level", "confirmed, written or claimed"}},
		{"request user:1 e --timeout 0s", []string{"--timeout", "1ms to 10m"}},
		{"request user:1 e --timeout 11m", []string{"--timeout", "1ms to 10m"}},
		{"request user:1 e --id 5", []string{"--id", "UUID"}},
		{"request user:1 e --detail none", []string{"--detail", "auto, all or summary"}},
		{"request user:1 e --redis http://x", []string{"scheme", "redis://"}},
		{"request user:1 e --redis redis+cluster://x", []string{"redis+cluster"}},
		{"request user:1 e --log-format xml", []string{"--log-format", "text or json"}},
		{"publish user:1", []string{"arg"}},
		{"connect --url http://x", []string{"--url", "ws://", "tcp://"}},
		{"connect --url tcp://x", []string{"--url", "port"}},
		{"connect --url tcp://x:1 --codec msgpack", []string{"msgpack", "WebSocket"}},
		{"connect --reply yes", []string{"--reply", "ok, nack, none or JSON"}},
		{"connect extra", []string{"extra"}},
		{"serve --listen 7070", []string{"--listen", "host:port"}},
		{"serve --listen 0.0.0.0:0", []string{"--listen", "--insecure", "--auth jwt"}},
		{"serve --listen :0", []string{"--listen", "--insecure"}},
		{"serve --tcp [::]:0", []string{"--tcp", "--insecure"}},
		{"serve --auth maybe", []string{"--auth", "none or jwt"}},
		{"serve --auth jwt", []string{"--jwt-secret", "--jwt-public-key"}},
		{"serve --auth jwt --jwt-secret a --jwt-public-key b", []string{"one of"}},
		{"serve --jwt-secret a", []string{"--auth jwt"}},
		{"serve --auth jwt --jwt-public-key /does/not/exist", []string{"no such file"}},
		{"serve --api-key-file /does/not/exist", []string{"--api-key-file"}},
		{"serve --embedded 0.0.0.0:0", []string{"--embedded", "loopback"}},
		{"serve --max-connections -1", []string{"--max-connections", "0 or more"}},
		{"serve --rate NaN", []string{"--rate", "number"}},
		{"serve --redis nonsense --listen 127.0.0.1:0 --tcp off", []string{"scheme"}},
		{"nodes --nonsense", []string{"nonsense"}},
		{"doctor extra", []string{"extra"}},
		{"doctor --redis http://x", []string{"scheme", "redis://"}},
		{"doctor --prefix a*", []string{"prefix", "glob"}},
		{"sockets --limit 0", []string{"--limit", "1 or more"}},
		{"request method:m e", []string{"called, not sent to", "ackbus call"}},
		{"publish method:m e", []string{"called, not sent to"}},
		{"call", []string{"arg"}},
		{"call m 1 2", []string{"arg"}},
		{"call m hello", []string{"not JSON", `'"hello"'`}},
		{"enqueue a/b 1", []string{"bad queue", "slashes"}},
		{"work a{b --exec true", []string{"bad queue", "braces"}},
		{"work q --exec true --admin 7070", []string{"--admin", "host:port"}},
		{"reply m --exec true --admin x:y", []string{"--admin", "port from 0"}},
		{"reply m --exec true --admin :0", []string{"--admin", "--insecure"}},
		{"work q --exec true --admin 0.0.0.0:0", []string{"--admin", "--insecure"}},
		{"queues a/b", []string{"bad queue", "1 to 128"}},
		{"dead a/b retry --all", []string{"bad queue", "slashes"}},
		{"reply m --exec true --name " + strings.Repeat("x", 256), []string{"--name", "1 to 255"}},
		{"reply m --exec true --description " + strings.Repeat("x", 1025), []string{"--description", "1024 bytes"}},
		{"reply m --exec true --method-version " + strings.Repeat("x", 65), []string{"--method-version", "64 bytes"}},
		{"serve --name " + strings.Repeat("x", 256), []string{"--name", "1 to 255"}},
		{"request planet:x e", []string{"kinds: user, group, socket, node, topic) or all"}},
		{"call m @" + large, []string{"data", "1048577 bytes; 1048576 are allowed"}},
		{"enqueue q @" + large, []string{"data", "1048576"}},
		{"publish user:1 e @" + large, []string{"data", "1048576"}},
		{"call m@x", []string{"bad method", "@"}},
		{"call ackbus.m", []string{"bad method", "ackbus."}},
		{"call m --timeout 11m", []string{"--timeout", "1ms to 10m"}},
		{"call m --each --stream", []string{"each", "stream"}},
		{"call m --each --node n", []string{"each", "node"}},
		{"reply m", []string{"--exec"}},
		{"reply --exec true", []string{"1 arg"}},
		{"reply m@x --exec true", []string{"bad method", "@"}},
		{"reply m --exec true --concurrency 0", []string{"--concurrency", "1 or more"}},
		{"reply m --exec true --drain -1s", []string{"--drain", "0s to 1h"}},
		{"methods extra", []string{"extra"}},
		{"enqueue q", []string{"2 arg"}},
		{"enqueue q hello", []string{"not JSON", `'"hello"'`}},
		{"enqueue q 1 --wait 11m", []string{"--wait", "0s to 10m"}},
		{"enqueue q 1 --delay -1s", []string{"--delay", "0s to"}},
		{"enqueue q 1 --max-attempts 0", []string{"--max-attempts", "1 to 100"}},
		{"enqueue q 1 --priority urgent", []string{"--priority", "high, normal or low"}},
		{"enqueue q 1 --id a/b", []string{"--id", "slashes"}},
		{"enqueue q 1 --unique-for 1m", []string{"--unique"}},
		{"work q", []string{"--exec"}},
		{"work --exec true", []string{"1 arg"}},
		{"work q --exec true --concurrency 0", []string{"--concurrency", "1 or more"}},
		{"work q --exec true --drain -1s", []string{"--drain", "0s to 1h"}},
		{"queues q stop", []string{`"stop"`, "pause or resume"}},
		{"dead", []string{"arg"}},
		{"dead q bury", []string{`"bury"`, "list, show, retry, delete"}},
		{"dead q retry", []string{"wants an ID, or --all"}},
		{"dead q show", []string{"wants an ID"}},
		{"dead q --all", []string{"--all", "retry and delete"}},
		{"dead q retry x --all", []string{"not both"}},
		{"dead q list x", []string{"show"}},
		{"dead q show a/b", []string{"ID", "slashes"}},
		{"dead q --limit 0", []string{"--limit", "1 or more"}},
		{"bench nobody", []string{"kind:name"}},
		{"bench method:m", []string{"called, not sent to"}},
		{"bench user:1 --clients 2", []string{"--clients", "brings none"}},
		{"bench user:1 --carrier tcp", []string{"--carrier", "brings none"}},
		{"bench --carrier pigeon", []string{"--carrier", "websocket or tcp or handler"}},
		{"bench --in-flight 0", []string{"--in-flight", "1 to 65536"}},
		{"bench --size 1", []string{"--size", "2 to 1048576"}},
		{"bench --rate -1", []string{"--rate", "0 to"}},
		{"bench --duration 0s", []string{"--duration", "1ms to 24h"}},
		{"bench --url redis://x", []string{"--url", "http://host:port"}},
		{"bench --url http://x/path", []string{"--url", "http://host:port"}},
		{"bench --url http://x --carrier tcp", []string{"--carrier tcp", "ackbus connect"}},
	} {
		got := here(t, nil, strings.Fields(c.args)...)
		if got.code != exitUsage || got.out != "" {
			t.Errorf("%s: exit code %d, printed %q", c.args, got.code, got.out)
		}
		for _, word := range c.words {
			if !strings.Contains(got.err, word) {
				t.Errorf("%s: %q does not say %q", c.args, got.err, word)
			}
		}
	}
}

func TestBadEnvironmentNamesTheVariable(t *testing.T) {
	for name, args := range map[string]string{
		"ACKBUS_TIMEOUT":         "request user:1 e",
		"ACKBUS_REQUIRE":         "request user:1 e",
		"ACKBUS_FAIL_FAST":       "request user:1 e",
		"ACKBUS_LANES":           "nodes",
		"ACKBUS_DRAIN":           "serve",
		"ACKBUS_MAX_CONNECTIONS": "serve",
		"ACKBUS_LOG_LEVEL":       "version",
		"ACKBUS_COUNT":           "connect",
	} {
		got := here(t, map[string]string{name: "nonsense"}, strings.Fields(args)...)
		if got.code != exitUsage || !strings.Contains(got.err, name) {
			t.Errorf("%s: exit code %d, %q", name, got.code, got.err)
		}
	}
}

// A flag wins over the environment, the environment over the default.
func TestEnvironmentPrecedence(t *testing.T) {
	env := map[string]string{"ACKBUS_REDIS": "http://from-environment"}
	if got := here(t, env, "nodes"); got.code != exitUsage {
		t.Errorf("the environment was not read: %d %s", got.code, got.err)
	}
	if got := here(t, env, "nodes", "--redis", "redis://127.0.0.1:1"); got.code != exitUnreachable {
		t.Errorf("the flag did not win: %d %s", got.code, got.err)
	}
	if got := here(t, map[string]string{"ACKBUS_JSON": "1", "ACKBUS_LOG_LEVEL": ""}, "version"); !strings.HasPrefix(got.out, "{") {
		t.Errorf("ACKBUS_JSON was not read: %d %q %s", got.code, got.out, got.err)
	}
}

// Every flag of every command has its variable, and no two flags of a command share one.
func TestEveryFlagIsListed(t *testing.T) {
	for _, cmd := range newRoot(func(string) (string, bool) { return "", false }).Commands() {
		got := here(t, nil, cmd.Name(), "--help")
		if got.code != exitDone || !strings.Contains(got.out, "--log-format") {
			t.Errorf("%s --help: %d %s", cmd.Name(), got.code, got.err)
		}
	}
	if got := here(t, nil); got.code != exitDone || !strings.Contains(got.out, "ackbus demo") {
		t.Errorf("without a command: %d %s", got.code, got.err)
	}
}

func TestVersion(t *testing.T) {
	if got := here(t, nil, "version"); got.code != exitDone || !strings.HasPrefix(got.out, "ackbus ") {
		t.Errorf("%d %q %s", got.code, got.out, got.err)
	}
}

func TestUnreachable(t *testing.T) {
	for _, args := range []string{
		"request user:1 e", "publish user:1 e", "nodes", "sockets", "doctor", "call m", "reply m --exec true", "methods",
		"enqueue q 1", "work q --exec true", "queues", "dead q", "bench", "bench user:1",
		"serve --listen 127.0.0.1:0 --tcp off",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel() // each tries for seconds
			got := here(t, map[string]string{"ACKBUS_REDIS": "redis://127.0.0.1:1"}, strings.Fields(args)...)
			if got.code != exitUnreachable || got.out != "" || !strings.Contains(got.err, "can't reach Redis") {
				t.Errorf("%d %q %s", got.code, got.out, got.err)
			}
		})
	}
}
