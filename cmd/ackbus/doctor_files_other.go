//go:build !unix

package main

// fileLimit is not known on this system.
func fileLimit() (limit uint64, known bool) { return 0, false }
