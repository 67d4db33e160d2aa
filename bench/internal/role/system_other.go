//go:build !linux && !darwin

package role

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }

// AllowFiles takes it that the files may be opened.
func AllowFiles(n int) int { return n }
