//go:build unix

package chaos

import (
	"os"
	"syscall"
)

// The signals that processes get.
var (
	stopSignal  os.Signal = syscall.SIGSTOP //nolint:gochecknoglobals // a constant of the system
	goOnSignal  os.Signal = syscall.SIGCONT //nolint:gochecknoglobals // likewise
	drainSignal os.Signal = syscall.SIGTERM //nolint:gochecknoglobals // likewise
	quitSignal  os.Signal = syscall.SIGQUIT //nolint:gochecknoglobals // likewise
)
