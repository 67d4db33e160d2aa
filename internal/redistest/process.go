package redistest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A spec says how to start one process.
type spec struct {
	binary string
	args   []string
	dir    string
	addr   string
}

func (s spec) logPath() string { return filepath.Join(s.dir, "redis-server.log") }

// A process is one incarnation of a server. It is guarded by the lock of its Server.
type process struct {
	cmd    *exec.Cmd
	watch  *watch
	exit   *os.File // reads EOF once the process has ended
	paused bool
	reaped bool
}

// startProcess starts a redis-server and returns once it answers. On any error nothing is left running.
func startProcess(ctx context.Context, sp spec) (*process, error) {
	p, err := spawn(sp)
	if err != nil {
		return nil, fmt.Errorf("redistest: start %s: %w", sp.binary, err)
	}
	if err := p.awaitReady(ctx, sp.addr); err != nil {
		_ = p.kill()
		log := lastLines(sp.logPath())
		if strings.Contains(log, "Address already in use") {
			err = errPortTaken
		}
		return nil, fmt.Errorf("redistest: %s %s: %w\n%s", sp.binary, strings.Join(sp.args, " "), err, log)
	}
	return p, nil
}

func spawn(sp spec) (*process, error) {
	log, err := os.Create(sp.logPath())
	if err != nil {
		return nil, err
	}
	defer log.Close()
	exit, held, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer held.Close() // the child holds the only other copy, so its death is an EOF
	// No context: one that can end would cost a goroutine, and the context of a start does not bound the life.
	cmd := exec.CommandContext(context.Background(), sp.binary, sp.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = sp.dir, log, log
	cmd.ExtraFiles = []*os.File{held}
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, exit.Close())
	}
	p := &process{cmd: cmd, exit: exit}
	if p.watch, err = startWatch(p.pid(), sp.dir); err != nil {
		return nil, errors.Join(err, p.kill())
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// exitedWithin waits until the process has ended, for at most d. It needs no goroutine.
func (p *process) exitedWithin(d time.Duration) bool {
	if err := p.exit.SetReadDeadline(time.Now().Add(d)); err != nil {
		return false
	}
	_, err := p.exit.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// kill ends the process and everything that came with it.
func (p *process) kill() error {
	var err error
	if !p.reaped {
		err = p.cmd.Process.Kill() // a stopped process dies of it too
		if errors.Is(err, os.ErrProcessDone) {
			err = nil
		}
		_ = p.cmd.Wait() // the error says "signal: killed", or how it had ended before
		p.reaped = true
	}
	return errors.Join(err, p.watch.release(), p.exit.Close())
}

// A watch is a shell that kills a server and removes its directory when the process that started both is gone,
// however it ended: the end of a killed process closes the pipe that the shell reads.
type watch struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

const watchScript = `read -r line || { kill -9 "$1"; rm -rf "$2"; }`

func startWatch(pid int, dir string) (*watch, error) {
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", watchScript, "watch", strconv.Itoa(pid), dir)
	cmd.SysProcAttr = ownGroup() // an interrupt from the terminal must not reach it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &watch{cmd: cmd, in: in}, nil
}

// release ends the watch without a kill: the process is gone, and its ID may be somebody else's by now.
func (w *watch) release() error {
	if w == nil {
		return nil
	}
	if _, err := io.WriteString(w.in, "released\n"); err != nil {
		return err
	}
	return w.cmd.Wait()
}

// lastLines returns the end of a log, where the reason for a failed start stands.
func lastLines(path string) string {
	const most = 2 << 10
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(text)
}
