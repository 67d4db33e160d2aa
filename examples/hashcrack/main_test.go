package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
)

// runMain tells this test binary to be hashcrack: the tests start it again with this variable.
const runMain = "HASHCRACK_TEST_MAIN"

// patience is how long a test waits for what must come; machines are busy.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	leak.Main(m)
}

// A process is a hashcrack of its own.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err said
	done     chan struct{} // closed when it has ended
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), runMain+"=1")
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process, which the cleanup kills
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code is read from its state
	}()
	t.Cleanup(func() {
		running := !p.ended()
		p.kill()
		if t.Failed() {
			t.Logf("%s (still running: %t, %v)\n%s%s", strings.Join(args, " "), running, p.cmd.ProcessState, p.out.String(), p.err.String())
		}
	})
	return p
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process, as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// wait returns the exit code once the process has ended.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%v did not end", p.cmd.Args[1:])
	}
	return p.cmd.ProcessState.ExitCode()
}

// told returns the rest of the line that begins with the text, once it was said on standard error.
func (p *process) told(begin string) (rest string) {
	p.t.Helper()
	eventually(p.t, "says "+begin, func() bool {
		for line := range strings.Lines(p.err.String()) {
			if after, ok := strings.CutPrefix(line, begin); ok && strings.HasSuffix(line, "\n") {
				rest = strings.TrimSpace(after)
				return true
			}
		}
		return false
	})
	return rest
}

// A said is what a process has written.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// eventually polls a condition that nothing tells about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("in vain: ", what)
		}
	}
}
