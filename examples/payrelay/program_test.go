package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// waitMost is how long a test waits for what must come: generous, because test machines are busy.
const waitMost = 30 * time.Second

// A program is a process of a test: a node, or a merchant's back end. It ends with the test, and also when the test is killed.
type program struct {
	tb    testing.TB
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended bool

	mu    sync.Mutex
	lines []string
	rest  []byte        // of a line that is not complete
	news  chan struct{} // closed with each new line
}

// keeper runs a program, ends it with the signal that it reads, or at the end of its input, and ends with the program's status.
const keeper = `"$@" & pid=$!; signal=TERM; read -r signal; kill -"${signal:-TERM}" $pid; wait $pid`

// start runs a program with additions to the environment.
func start(tb testing.TB, name string, env []string, command ...string) *program {
	tb.Helper()
	p := &program{tb: tb, name: name, news: make(chan struct{})}
	p.cmd = exec.Command("sh", append([]string{"-c", keeper, "keeper"}, command...)...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.end("KILL") })
	return p
}

// end sends the signal and returns the exit status once the program is gone.
func (p *program) end(signal string) int {
	if !p.ended {
		p.ended = true
		_, _ = io.WriteString(p.stdin, signal+"\n") // it may have ended by itself
		_ = p.cmd.Wait()                            // the status says it
		if p.tb.Failed() {
			p.tb.Logf("%s said:\n%s", p.name, strings.Join(p.lines, "\n"))
		}
	}
	return p.cmd.ProcessState.ExitCode()
}

// Write takes what the program prints.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, b...)
	for {
		line, rest, complete := bytes.Cut(p.rest, []byte("\n"))
		if !complete {
			return len(b), nil
		}
		p.lines, p.rest = append(p.lines, string(line)), rest
		close(p.news)
		p.news = make(chan struct{})
	}
}

// said is the submatches of each line that matches.
func (p *program) said(pattern string) (found [][]string, news <-chan struct{}) {
	re := regexp.MustCompile(pattern)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if m := re.FindStringSubmatch(line); m != nil {
			found = append(found, m)
		}
	}
	return found, p.news
}

// await returns the submatches of the first line that matches, once it was printed.
func (p *program) await(pattern string) []string {
	p.tb.Helper()
	timeout := time.NewTimer(waitMost)
	defer timeout.Stop()
	for {
		found, news := p.said(pattern)
		if len(found) > 0 {
			return found[0]
		}
		select {
		case <-news:
		case <-timeout.C:
			p.tb.Fatalf("%s never said %q", p.name, pattern)
		}
	}
}
