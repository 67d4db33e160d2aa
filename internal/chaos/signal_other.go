//go:build !unix

package chaos

import "os"

// Where processes can't be stopped, a run fails at the first fault that needs it.
var stopSignal, goOnSignal, drainSignal, quitSignal os.Signal = os.Interrupt, os.Interrupt, os.Interrupt, os.Kill
