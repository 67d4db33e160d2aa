//go:build race

package bus

const requestsInGreatNumber = 20_000 // the race detector makes each ten times slower
