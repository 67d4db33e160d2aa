// Package load puts load on something that answers, and measures how long each answer takes.
//
// With a rate, requests are due at fixed times, and one that had to wait because others were slow is measured from when it was due: a
// system that stalls can't hide it by holding the measuring up (coordinated omission). What was due and never sent is counted. Without a
// rate, each request begins when the one before it has ended, and is measured from its own beginning.
//
// What is under way when the time is over is awaited and counts; what is under way when the context ends is given up and does not.
package load
