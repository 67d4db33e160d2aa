//go:build !linux

package chaos

// inMemory is a directory that is kept in memory: none that is known.
func inMemory() string { return "" }
