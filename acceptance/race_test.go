//go:build race

package acceptance

// raced says that the nodes are built with the race detector too. It makes them slower and larger.
const raced = true
