//go:build unix

package redistest

import (
	"errors"
	"syscall"
)

// ownGroup keeps signals of the terminal (Ctrl-C) away from the child.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// pause returns once the process stands still: the signal alone would leave it running for a moment.
func (p *process) pause() error {
	if p.paused {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(p.pid(), &status, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	if !status.Stopped() {
		p.reaped = true
		return errors.New("the process had ended")
	}
	p.paused = true
	return nil
}

func (p *process) resume() error {
	p.paused = false
	return p.cmd.Process.Signal(syscall.SIGCONT)
}
