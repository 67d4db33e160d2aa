package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

const (
	startTime = 30 * time.Second
	endTime   = 45 * time.Second
)

// A process is a child with everything that is known of it.
type process struct {
	name   string // of the actor
	cmd    *exec.Cmd
	in     io.WriteCloser
	output *output
	guard  *guard
	gone   chan struct{} // closed when it has ended

	mu     sync.Mutex // guards all below
	wanted bool       // somebody had it end
	pardon string     // what it may end with by itself; empty: nothing
	ended  bool       // with that
}

// start starts a child whose output goes to a file of the run's directory. incarnation is unique in the run.
func (c *cluster) start(name, incarnation string, cmd *exec.Cmd) (*process, error) {
	file, err := os.Create(filepath.Join(c.opts.Dir, incarnation+".out"))
	if err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: cmd, output: &output{file: file, changed: make(chan struct{})}, gone: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	c.log.Append(history.Event{Kind: history.Began, Actor: name, Text: incarnation})
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("chaos: start %s: %w", incarnation, err)
	}
	if p.guard, err = guarded(cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		return nil, err
	}
	c.delays.set(name, cmd.Process.Pid)
	c.children.Go(func() {
		defer close(p.gone)
		c.log.Append(p.wait(incarnation))
		c.delays.set(name, 0)
	})
	return p, nil
}

// wait returns how the process ended.
func (p *process) wait(incarnation string) history.Event {
	err := p.cmd.Wait()
	p.guard.release()
	p.mu.Lock()
	e := history.Event{Kind: history.Left, Actor: p.name, Text: "it ended well", Wanted: p.wanted}
	p.mu.Unlock()
	if err != nil {
		e.Text = err.Error()
		e.Wanted = e.Wanted && strings.HasPrefix(e.Text, "signal: killed")
	}
	text, _ := p.output.now()
	p.mu.Lock()
	if p.pardon != "" && err != nil && strings.Contains(text, p.pardon) {
		p.ended, e.Wanted = true, true
	}
	p.mu.Unlock()
	if complaint := p.output.complained(); complaint != "" {
		e.Text, e.Wanted = complaint+" in "+incarnation+".out", false
	}
	_ = p.output.file.Close()
	return e
}

// await returns the first line for which found reports true.
func (p *process) await(ctx context.Context, what string, found func(line string) bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		text, changed := p.output.now()
		for line := range strings.Lines(text) {
			if found(strings.TrimSpace(line)) {
				return nil
			}
		}
		select {
		case <-changed:
		case <-p.gone:
			return fmt.Errorf("chaos: %s ended before it was %s:\n%s", p.name, what, text)
		case <-ctx.Done():
			return fmt.Errorf("chaos: %s was not %s in time:\n%s", p.name, what, text)
		}
	}
}

func (p *process) signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// expectEnd says that the process ends because somebody wants it to.
func (p *process) expectEnd() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = true
}

// excuse says that the process may end by itself if it says why; with nothing to say it must not.
func (p *process) excuse(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pardon = text
}

// excused reports whether it ended so.
func (p *process) excused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

func (p *process) kill() {
	p.expectEnd()
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.gone
}

// end has the process end in its own way, and kills it if that takes too long: which is not what was wanted.
func (p *process) end(ask func() error) error {
	p.expectEnd()
	_ = p.signal(goOnSignal) // a run that was broken off may have left it stopped
	_ = ask()                // it may have ended
	timer := time.NewTimer(endTime)
	defer timer.Stop()
	select {
	case <-p.gone:
		return nil
	case <-timer.C:
		_ = p.cmd.Process.Signal(quitSignal) // a Go program prints its goroutines
		_ = p.cmd.Process.Kill()
		<-p.gone
		return fmt.Errorf("chaos: %s did not end within %v", p.name, endTime)
	}
}

// An output is what a process has written, kept and in a file.
type output struct {
	file *os.File

	mu      sync.Mutex // guards all below
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
	tail    []byte        // of the last write, in which a complaint may begin
	found   string        // the first complaint
}

// complaints are what no process may print.
var complaints = []string{"DATA RACE", "panic:", "fatal error:"}

// keptOutput bounds what is kept in memory; the file has all.
const keptOutput = 1 << 20

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	if o.text.Len() < keptOutput {
		o.text.Write(p)
	}
	o.searchLocked(p)
	return o.file.Write(p)
}

// searchLocked looks for complaints in all that is written: what is kept is only its beginning.
func (o *output) searchLocked(p []byte) {
	const longest = 16 // more than any of them has
	text := string(o.tail) + string(p)
	for _, one := range complaints {
		if o.found == "" && strings.Contains(text, one) {
			o.found = one
		}
	}
	o.tail = []byte(text[max(0, len(text)-longest):])
}

func (o *output) complained() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.found
}

func (o *output) now() (text string, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// A guard is a shell that kills a process when this one is gone, however it ended.
type guard struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

func guarded(pid int) (*guard, error) {
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", `read -r line || kill -9 "$1"`, "guard", strconv.Itoa(pid))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &guard{cmd, in}, cmd.Start()
}

func (g *guard) release() {
	_, _ = io.WriteString(g.in, "released\n") // a guard that is gone guards nothing
	_ = g.cmd.Wait()
}
