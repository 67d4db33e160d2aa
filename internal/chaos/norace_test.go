//go:build !race

package chaos_test

// raced says that the nodes are built with the race detector, as this is.
const raced = false
