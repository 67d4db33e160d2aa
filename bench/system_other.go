//go:build !linux && !darwin

package main

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }

// allowFiles takes it that the files may be opened.
func allowFiles(n int) int { return n }
