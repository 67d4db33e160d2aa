// Package leak fails tests that leave goroutines behind. Nothing is ignored: a goroutine that outlives the test has
// nobody who waits for it, whoever started it.
package leak

import (
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package and fails the binary when a goroutine is left at the end. It does not return.
//
//	func TestMain(m *testing.M) { leak.Main(m) }
func Main(m *testing.M) { goleak.VerifyTestMain(m) }

// Check fails the test when a goroutine that was not there at the call is left at its end. It belongs on the first line:
// cleanups run last first, so whatever the test starts afterwards is closed before the check. Goroutines of tests that run at
// the same time look like leaks, so a test that calls t.Parallel leaves the check to Main.
func Check(tb testing.TB) {
	tb.Helper()
	before := goleak.IgnoreCurrent()
	tb.Cleanup(func() {
		tb.Helper()
		goleak.VerifyNone(tb, before)
	})
}
