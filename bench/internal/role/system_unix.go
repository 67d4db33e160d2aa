//go:build linux || darwin

package role

import (
	"syscall"
	"time"
)

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// AllowFiles raises the limit of open files towards n, and returns what it is then.
func AllowFiles(n int) int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return n
	}
	if limit.Cur < uint64(n) {
		higher := syscall.Rlimit{Cur: uint64(n), Max: max(limit.Max, uint64(n))}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &higher) != nil { // only root may raise what the system set
			higher = syscall.Rlimit{Cur: limit.Max, Max: limit.Max}
			_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &higher)
		}
		_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	return int(min(limit.Cur, 1<<30))
}
