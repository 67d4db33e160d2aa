package relaytest

import "slices"

// Shrink leaves steps out of a schedule that fails for as long as what is left still fails, and returns what is left: no step of it
// can be spared. fails plays a schedule from its beginning, each time in the same way.
func Shrink[S any](steps []S, fails func([]S) bool) []S {
	for size := max(len(steps)/2, 1); ; size = max(size/2, 1) {
		before := len(steps)
		for at := 0; at < len(steps); {
			rest := slices.Concat(steps[:at], steps[min(at+size, len(steps)):])
			if fails(rest) {
				steps = rest
			} else {
				at += size
			}
		}
		if size == 1 && len(steps) == before {
			return steps
		}
	}
}
