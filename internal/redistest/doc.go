// Package redistest starts real, private redis-servers on loopback ports: for tests, benchmarks and fault runs.
//
// A server belongs to the process that started it. It ends with the test (Start), with Stop (Run), or with the test
// binary (Shared), and also when that process is killed: a small shell beside each server notices, kills the server and
// removes its directory. A running server costs its owner no goroutine, so that leak checks see only what they should.
//
// Nothing is kept on disk unless the arguments ask for it (for example "--appendonly", "yes"); what is kept outlives
// Kill and Restart, and goes with Stop.
package redistest
