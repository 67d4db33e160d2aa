//go:build !unix

package history

import "time"

// monotonic is the wall clock: good as long as nobody sets it during the run.
func monotonic() int64 { return time.Now().UnixNano() }
