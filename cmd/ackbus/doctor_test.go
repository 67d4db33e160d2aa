package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

type diagnosis struct {
	Faults   int
	Findings []relay.Finding
}

// graded lists the checks with the grade.
func (d *diagnosis) graded(g relay.Grade) (checks []string) {
	for _, f := range d.Findings {
		if f.Grade == g {
			checks = append(checks, f.Check)
		}
	}
	return checks
}

// What is wrong ends with 1 and is named with the command that mends it; after that it is well, but for this machine.
func TestDoctor(t *testing.T) {
	redis := redistest.Start(t, "--tcp-keepalive", "0")
	got := here(t, nil, "doctor", "--redis", redis.URL(), "--json")
	d := parse[diagnosis](t, got.out)
	if got.code != exitFailed || got.err != "" || !slices.Contains(d.graded(relay.GradeFault), "tcp-keepalive") {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	table := here(t, nil, "doctor", "--redis", redis.URL())
	for _, words := range []string{
		"fault  tcp-keepalive", "→ redis-cli -h 127.0.0.1 -p ", " CONFIG SET tcp-keepalive 30\n", "CONFIG REWRITE",
	} {
		if table.code != exitFailed || !strings.Contains(table.out, words) {
			t.Errorf("%d, without %q: %s%s", table.code, words, table.out, table.err)
		}
	}
	if err := redis.Client().ConfigSet(t.Context(), "tcp-keepalive", "30").Err(); err != nil {
		t.Fatal(err)
	}
	got = here(t, nil, "doctor", "--redis", redis.URL(), "--json")
	d = parse[diagnosis](t, got.out)
	wrong := slices.DeleteFunc(d.graded(relay.GradeFault), func(check string) bool {
		return check == "open files" || check == "round trip" // matters of the machine
	})
	if len(wrong) > 0 || len(d.Findings) < 15 {
		t.Errorf("after the mend: %v, %s", wrong, got.out)
	}
	if well := d.Faults == 0; d.Faults != len(d.graded(relay.GradeFault)) || well != (got.code == exitDone) {
		t.Errorf("%d faults, exit code %d", d.Faults, got.code)
	}
}

// A process that may have few files is told so; the embedded Redis is known for what it is.
func TestDoctorOfSmallMachine(t *testing.T) {
	node := serveReady(t, "--embedded", "127.0.0.1:0", "--tcp", "off")
	url, _ := parse[map[string]any](t, node.err.await(t, "embedded Redis", node.done))["url"].(string)
	cmd := exec.Command("/bin/sh", "-c", `ulimit -n 512; exec "$0" doctor --json`, os.Args[0])
	cmd.Env = append(cleanEnvironment(), runMain+"=1", "ACKBUS_REDIS="+url)
	out, err := cmd.Output()
	d := parse[diagnosis](t, string(out))
	if faults := d.graded(relay.GradeFault); err == nil || !slices.Contains(faults, "open files") || !slices.Contains(faults, "server") {
		t.Errorf("%v: %s", err, out)
	}
}
