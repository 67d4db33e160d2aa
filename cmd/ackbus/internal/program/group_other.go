//go:build !unix

package program

import (
	"os"
	"syscall"
)

const (
	soft = syscall.SIGTERM
	hard = syscall.SIGKILL
)

// ownGroup: there are no process groups here.
func ownGroup() *syscall.SysProcAttr { return nil }

func signalGroup(group int, _ syscall.Signal) {
	if p, err := os.FindProcess(group); err == nil {
		_ = p.Kill() // it may have ended
		_ = p.Release()
	}
}

func signalOf(*os.ProcessState) string { return "" }
