package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// patience is how long a test waits for what must come and has no time of its own; machines are busy.
const patience = 20 * time.Second

// ackbus is the path of the binary that the tests run.
var ackbus string

func TestMain(m *testing.M) {
	if n := os.Getenv(herdOf); n != "" {
		os.Exit(beHerd(n))
	}
	os.Exit(testMain(m))
}

// testMain returns the exit code. Leaks are looked for at the end of each test.
func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "acceptance-")
	if err == nil {
		defer os.RemoveAll(dir)
		ackbus, err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(dir string) (string, error) {
	path := filepath.Join(dir, "ackbus")
	args := []string{"build", "-o", path}
	if raced {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/ackbus/ackbus/cmd/ackbus")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build ackbus: %w\n%s", err, out)
	}
	return path, nil
}

// eventually polls a condition that nothing tells about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	within(t, patience, what, ok)
}

func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(limit)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("in vain for %v: %s", limit, what)
		}
	}
}
