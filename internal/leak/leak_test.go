package leak_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

// leakEnv tells a second run of this test binary to leave a goroutine behind.
const leakEnv = "ACKBUS_TEST_LEAVE_GOROUTINE"

func TestMain(m *testing.M) { leak.Main(m) }

// recorder stands in for a test: it collects what the check reports, and runs the cleanups when told.
type recorder struct {
	testing.TB
	cleanups []func()
	failures []string
}

func (r *recorder) Helper()           {}
func (r *recorder) Name() string      { return "recorder" }
func (r *recorder) Cleanup(fn func()) { r.cleanups = append(r.cleanups, fn) }
func (r *recorder) Error(args ...any) { r.failures = append(r.failures, fmt.Sprint(args...)) }

func (r *recorder) end() {
	for _, fn := range slices.Backward(r.cleanups) {
		fn()
	}
}

func TestCheckFindsWhatIsLeft(t *testing.T) {
	r := &recorder{TB: t}
	leak.Check(r)
	g := run.New(t.Context())
	g.Go(func() { <-g.Context().Done() })
	r.end()
	g.Stop()
	g.Wait()
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], "TestCheckFindsWhatIsLeft") {
		t.Fatalf("failures = %q, want one that shows the stack of the goroutine left behind", r.failures)
	}
}

func TestCheckPassesWhatEnds(t *testing.T) {
	before := run.New(t.Context())
	before.Go(func() { <-before.Context().Done() })
	r := &recorder{TB: t}
	leak.Check(r)
	g := run.New(t.Context())
	g.Go(func() { <-g.Context().Done() })
	r.Cleanup(func() {
		g.Stop()
		g.Wait()
	})
	r.end()
	before.Stop()
	before.Wait()
	if len(r.failures) != 0 {
		t.Fatalf("failures = %q, want none: one goroutine was there before, the other ended in a later cleanup", r.failures)
	}
}

// TestMainFailsTheBinary runs this binary again, with and without a test that leaks.
func TestMainFailsTheBinary(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, leaks := range []bool{false, true} {
		cmd := exec.Command(self, "-test.run=^TestLeavesGoroutine$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%t", leakEnv, leaks))
		out, err := cmd.CombinedOutput()
		if failed := err != nil; failed != leaks {
			t.Errorf("leaks=%t: the binary ended with %v\n%s", leaks, err, out)
		}
		if found := strings.Contains(string(out), "found unexpected goroutines"); found != leaks {
			t.Errorf("leaks=%t: output says so: %t\n%s", leaks, found, out)
		}
	}
}

// TestLeavesGoroutine passes, and leaks where TestMainFailsTheBinary asks it to.
func TestLeavesGoroutine(t *testing.T) {
	g := run.New(t.Context())
	release := make(chan struct{})
	g.Go(func() { <-release })
	if os.Getenv(leakEnv) == "true" {
		return
	}
	close(release)
	g.Stop()
	g.Wait()
}
