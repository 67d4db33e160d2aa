//go:build unix

package program

import (
	"os"
	"syscall"
)

const (
	soft = syscall.SIGTERM
	hard = syscall.SIGKILL
)

// ownGroup lets all that the program starts be ended together, and keeps signals of the terminal (Ctrl-C) away from it: whoever runs
// programs decides when they end.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func signalGroup(group int, s syscall.Signal) {
	_ = syscall.Kill(-group, s) // ESRCH: nobody is left
}

func signalOf(state *os.ProcessState) string {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal().String()
	}
	return ""
}
