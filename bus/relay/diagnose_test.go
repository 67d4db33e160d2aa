package relay_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

// diagnosed is what Diagnose finds, by check.
type diagnosed map[string]relay.Finding

func diagnose(t *testing.T, url string) diagnosed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	findings, err := relay.Diagnose(ctx, url, &relay.Options{Prefix: "ok:"})
	if err != nil {
		t.Fatal(err)
	}
	by := make(diagnosed)
	for _, f := range findings {
		if by[f.Check].Check != "" || f.Text == "" || strings.ContainsRune(f.Text+f.Fix, '\n') {
			t.Errorf("odd: %+v", f)
		}
		by[f.Check] = f
	}
	return by
}

// want holds one finding against a grade, and against words of its text and its fix.
func (d diagnosed) want(t *testing.T, check string, grade relay.Grade, words ...string) {
	t.Helper()
	f := d[check]
	if f.Grade != grade {
		t.Errorf("%s: %+v, want %s", check, f, grade)
	}
	for _, word := range words {
		if !strings.Contains(f.Text+" | "+f.Fix, word) {
			t.Errorf("%s: %+v does not say %q", check, f, word)
		}
	}
}

// faults lists what has to change, besides what a busy machine may make slow.
func (d diagnosed) faults() (checks []string) {
	for check, f := range d {
		if f.Grade == relay.GradeFault && check != "round trip" {
			checks = append(checks, check)
		}
	}
	slices.Sort(checks)
	return checks
}

// A Redis with its own defaults is fine.
func TestDiagnoseDefaults(t *testing.T) {
	server := redistest.Start(t)
	d := diagnose(t, server.URL())
	if faults := d.faults(); len(faults) > 0 {
		t.Errorf("%v: %+v", faults, d)
	}
	for check, word := range map[string]string{"server": "Redis 7", "role": "master", "connections": "taken", "memory": "no maxmemory",
		"output buffers": "33554432 8388608 60", "timeout": "stay", "subscribe": "ok:", "patterns": "ok:", "count": "counted",
		"publish": "came back", "transaction": "MULTI", "former connections": "ended"} {
		d.want(t, check, relay.GradeGood, word)
	}
	d.want(t, "tcp-keepalive", relay.GradeNote, "300", "CONFIG SET tcp-keepalive 30")
	if _, timed := d["round trip"]; !timed {
		t.Error("nothing is said of the round trip")
	}
	if left := server.Client().PubSubChannels(t.Context(), "*").Val(); len(left) > 0 {
		t.Errorf("channels are left: %q", left)
	}
}

// What it finds wrong is right once the commands that it gives have been typed.
func TestDiagnoseSettings(t *testing.T) {
	server := redistest.Start(t, "--client-output-buffer-limit", "pubsub 1mb 512kb 10", "--maxmemory", "500kb", "--maxmemory-policy",
		"allkeys-lru", "--tcp-keepalive", "0", "--timeout", "1", "--maxclients", "10")
	client := server.Client()
	d := diagnose(t, server.URL())
	host, port, _ := strings.Cut(server.Addr(), ":")
	cli := "redis-cli -h " + host + " -p " + port + " CONFIG SET "
	for check, words := range map[string][]string{
		"output buffers": {"1048576 524288 10", cli + `client-output-buffer-limit "pubsub 32mb 8mb 60"`},
		"memory":         {"of maxmemory 0.5 MB", cli + "maxmemory 0"},
		"eviction":       {"allkeys-lru", cli + "maxmemory-policy noeviction"},
		"tcp-keepalive":  {"is 0", cli + "tcp-keepalive 30"},
		"timeout":        {"is 1", cli + "timeout 0"},
	} {
		d.want(t, check, relay.GradeFault, words...)
		args := []any{"CONFIG", "SET"}
		setting, value, _ := strings.Cut(strings.TrimPrefix(d[check].Fix, cli), " ")
		if err := client.Do(t.Context(), append(args, setting, strings.Trim(value, `"`))...).Err(); err != nil {
			t.Errorf("%s: %v", d[check].Fix, err)
		}
	}
	if faults := diagnose(t, server.URL()).faults(); len(faults) > 0 {
		t.Errorf("after all was mended: %v", faults)
	}
	if err := client.ConfigSet(t.Context(), "client-output-buffer-limit", "pubsub 0 0 0").Err(); err != nil {
		t.Fatal(err)
	}
	d = diagnose(t, server.URL())
	d.want(t, "output buffers", relay.GradeFault, "unbounded")
}

// Above maxmemory Redis refuses transactions, and newer ones subscriptions.
func TestDiagnoseMemoryShort(t *testing.T) {
	d := diagnose(t, redistest.Start(t, "--maxmemory", "1kb").URL())
	d.want(t, "memory", relay.GradeFault, "maxmemory 0")
	d.want(t, "transaction", relay.GradeFault, "OOM", "maxmemory 0")
	d.want(t, "eviction", relay.GradeGood)
}

func TestDiagnoseConnections(t *testing.T) {
	server := redistest.Start(t, "--maxclients", "11")
	for range 8 {
		if err := server.Client().Ping(t.Context()).Err(); err != nil { // and the connection stays open
			t.Fatal(err)
		}
	}
	d := diagnose(t, server.URL())
	d.want(t, "connections", relay.GradeFault, "9 of 11", "CONFIG SET maxclients 10000")
}

// A user who lacks a right is told the command that gives it.
func TestDiagnoseRights(t *testing.T) {
	server := redistest.Start(t)
	url := limitedURL(t, server)
	documented := []any{"-@all", "+publish", "+subscribe", "+unsubscribe", "+psubscribe", "+punsubscribe", "+pubsub|numsub", "+multi",
		"+exec"}
	for _, c := range []struct {
		channels string
		without  string
		faults   map[string]string // what each fix holds
	}{
		{"&ok:*", "", nil},
		{"&other:*", "", map[string]string{"subscribe": "ACL SETUSER limited '&ok:*'", "publish": "'&ok:*'", "transaction": "'&ok:*'"}},
		{"&ok:*", "+subscribe", map[string]string{"subscribe": "ACL SETUSER limited +subscribe"}},
		{"&ok:*", "+psubscribe", map[string]string{"patterns": "ACL SETUSER limited +psubscribe"}},
		{"&ok:*", "+publish", map[string]string{"publish": "ACL SETUSER limited +publish", "transaction": "ACL SETUSER limited"}},
		{"&ok:*", "+pubsub|numsub", map[string]string{"count": "'+pubsub|numsub'", "transaction": "ACL SETUSER limited"}},
		{"&ok:*", "+multi", map[string]string{"transaction": "+multi +exec"}},
		{"&ok:*", "+exec", map[string]string{"transaction": "+multi +exec"}},
	} {
		permit(t, server, c.channels, slices.DeleteFunc(slices.Clone(documented), func(right any) bool { return right == c.without })...)
		d := diagnose(t, url)
		for check, fix := range c.faults {
			d.want(t, check, relay.GradeFault, "NOPERM", " ACL SETUSER limited ", fix)
		}
		if faults := d.faults(); len(faults) != len(c.faults) {
			t.Errorf("%s without %q: %v", c.channels, c.without, faults)
		}
		for _, unseen := range []string{"server", "settings"} {
			d.want(t, unseen, relay.GradeNote, "NOPERM", "+")
		}
		d.want(t, "former connections", relay.GradeNote, "'+client|kill'")
	}
}

func TestDiagnoseKinds(t *testing.T) {
	master, replica := redistest.Start(t), redistest.Start(t)
	follow(t, replica, master)
	d := diagnose(t, replica.URL())
	d.want(t, "role", relay.GradeFault, "redis://"+master.Addr(), "replica")
	d = diagnose(t, redistest.Start(t, "--cluster-enabled", "yes").URL())
	d.want(t, "server", relay.GradeFault, "Cluster", "redis+sentinel://")
	d = diagnose(t, "redis://"+miniredis.RunT(t).Addr())
	d.want(t, "server", relay.GradeFault, "embedded", "development", "--redis")
	d.want(t, "publish", relay.GradeGood, "came back")
	if faults := d.faults(); len(faults) != 1 {
		t.Errorf("the embedded Redis: %v", faults)
	}
}

func TestDiagnoseUnreachable(t *testing.T) {
	server := redistest.Start(t)
	for name, url := range map[string]string{
		"nobody there":   "redis://127.0.0.1:1",
		"wrong password": strings.Replace(limitedURL(t, server), "secret", "wrong", 1),
		"no such db":     server.URL() + "999",
	} {
		if findings, err := relay.Diagnose(t.Context(), url, nil); !errors.Is(err, relay.ErrUnavailable) || findings != nil {
			t.Errorf("%s: %v, %v", name, findings, err)
		} else if strings.Contains(err.Error(), "wrong:") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
	for _, url := range []string{"http://x", "redis+cluster://x"} {
		if _, err := relay.Diagnose(t.Context(), url, nil); err == nil || errors.Is(err, relay.ErrUnavailable) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
