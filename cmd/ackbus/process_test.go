package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/redistest"
)

// patience is how long a test waits for what must come; machines are busy.
const patience = 20 * time.Second

// A process is an ackbus of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *lines
	err  *lines
	done chan struct{} // closed when it has ended
}

// start starts an ackbus whose log is JSON, on the bus of this test.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, out: newLines(), err: newLines(), done: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], args...) // this test binary
	p.cmd.Env = append(cleanEnvironment(), runMain+"=1", "ACKBUS_LOG_FORMAT=json", "ACKBUS_PREFIX="+redistest.Prefix(t))
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process, which the cleanup kills
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code is read from its state
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
		if t.Failed() {
			t.Logf("%s\n%s%s", strings.Join(args, " "), p.out, p.err)
		}
	})
	return p
}

func cleanEnvironment() []string {
	var env []string
	for _, one := range os.Environ() {
		if !strings.HasPrefix(one, "ACKBUS_") {
			env = append(env, one)
		}
	}
	return env
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

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// logged returns the fields of the first line of the log with the message.
func (p *process) logged(message string) map[string]any {
	p.t.Helper()
	line := p.err.await(p.t, fmt.Sprintf("%q", message), p.done)
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	return fields
}

// runCommand runs a command to its end.
func runCommand(t *testing.T, args ...string) result {
	t.Helper()
	p := start(t, args...)
	code := p.wait()
	return result{code, p.out.String(), p.err.String()}
}

// lines is what a process has written, for tests that wait for a line.
type lines struct {
	mu      sync.Mutex // guards all below
	text    bytes.Buffer
	changed chan struct{}
}

func newLines() *lines { return &lines{changed: make(chan struct{})} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await returns the first whole line that holds the text.
func (l *lines) await(t *testing.T, text string, done <-chan struct{}) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ended := false; ; {
		l.mu.Lock()
		all, changed := l.text.String(), l.changed
		l.mu.Unlock()
		for line := range strings.Lines(all) {
			if strings.HasSuffix(line, "\n") && strings.Contains(line, text) {
				return line
			}
		}
		if ended {
			t.Fatalf("ended without saying %s", text)
		}
		select {
		case <-changed:
		case <-done:
			ended = true
		case <-ctx.Done():
			t.Fatalf("never said %s", text)
		}
	}
}

// A server is a serve that is ready.
type server struct {
	*process
	http, websocket, tcp, admin string
}

func serveReady(t *testing.T, args ...string) *server {
	t.Helper()
	p := start(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--tcp", "127.0.0.1:0"}, args...)...)
	ready := p.logged("ready")
	text := func(name string) string {
		s, _ := ready[name].(string)
		return s
	}
	return &server{p, text("http"), text("websocket"), text("tcp"), text("admin")}
}

// connected starts a client and returns once it is welcome.
func connected(t *testing.T, url string, args ...string) *process {
	t.Helper()
	p := start(t, append([]string{"connect", "--json", "--url", url}, args...)...)
	p.logged("connected")
	return p
}
