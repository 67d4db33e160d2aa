package acceptance

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// A runner is a process of ackbus reply or ackbus work.
type runner struct {
	name string
	cmd  *exec.Cmd
	log  *logged
	done chan struct{} // closed when it has ended
}

// startRunner starts the process, without waiting until it is ready. env is added to the environment.
func startRunner(t *testing.T, name string, env []string, args ...string) *runner {
	t.Helper()
	r := &runner{name: name, log: newLogged(), done: make(chan struct{})}
	r.cmd = exec.Command(ackbus, args...)
	r.cmd.Env, r.cmd.Stderr = append(environment(), env...), r.log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	life := run.New(t.Context()) // ends with the process, which the cleanup kills
	life.Go(func() {
		defer close(r.done)
		_ = r.cmd.Wait() // how it ended is the business of the tests
	})
	t.Cleanup(func() {
		r.kill()
		if text := r.log.String(); t.Failed() || strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic:") {
			t.Errorf("the log of %s:\n%s", name, text)
		}
	})
	return r
}

// environment is the test's own, without what would change how ackbus runs.
func environment() []string {
	var env []string
	for _, one := range os.Environ() {
		if !strings.HasPrefix(one, "ACKBUS_") {
			env = append(env, one)
		}
	}
	return env
}

// kill ends the process, as a power cut would, and returns once it is gone. The programs that it ran go on.
func (r *runner) kill() {
	_ = r.cmd.Process.Kill() // it may have ended
	<-r.done
}

// drain asks the process to end, and returns its exit code.
func (r *runner) drain(t *testing.T) int {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.done:
	case <-time.After(patience):
		t.Fatalf("%s does not end", r.name)
	}
	return r.cmd.ProcessState.ExitCode()
}

// says waits for text in the log.
func (r *runner) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, r.name+" says "+text, func() bool { return strings.Contains(r.log.String(), text) })
}
