//go:build !race

package bus

const requestsInGreatNumber = 100_000
