package redistest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/redistest"
)

// ownerEnv tells a second run of this test binary to start servers and wait for its end.
const ownerEnv = "ACKBUS_TEST_OWN_SERVERS"

// TestOwner is not a test of its own: TestServersDieWithTheirOwner runs it in a process that it kills.
func TestOwner(t *testing.T) {
	if os.Getenv(ownerEnv) == "" {
		return
	}
	started, shared := redistest.Start(t), redistest.Shared(t)
	fmt.Printf("\nservers %d %d %s\n", started.PID(), shared.PID(), config(t, started.Client(), "dir"))
	_, _ = os.Stdin.Read(make([]byte, 1)) // until killed
}

func TestServersDieWithTheirOwner(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	owner := exec.Command(self, "-test.run=^TestOwner$")
	owner.Env = append(os.Environ(), ownerEnv+"=1")
	if _, err := owner.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	var started, shared int
	var dir string
	for lines := bufio.NewScanner(out); started == 0 && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "servers %d %d %s", &started, &shared, &dir)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = owner.Wait() // killed, as it should be
	if started == 0 || shared == 0 {
		t.Fatal("the owner did not name its servers")
	}
	eventually(t, "servers and directory are gone", func() bool {
		_, err := os.Stat(dir)
		return !alive(started) && !alive(shared) && os.IsNotExist(err)
	})
}

// eventually polls the condition, for other processes send no signal that a test could wait for.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
