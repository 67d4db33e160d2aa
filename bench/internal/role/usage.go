package role

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Usage is what a process uses.
type Usage struct {
	CPU        time.Duration `json:"cpu_ns"`             // since it began
	Resident   int64         `json:"resident,omitempty"` // bytes; 0: not known on this system
	Heap       int64         `json:"heap"`               // bytes of live objects, and of dead ones not yet collected
	Stacks     int64         `json:"stacks"`
	Goroutines int           `json:"goroutines"`
}

// measureUsage may let memory settle first: a pause in which what has just happened ends, then a collection whose free pages go
// back to the system, and as long a pause again.
func measureUsage(ctx context.Context, settle time.Duration) Usage {
	if settle > 0 {
		Pause(ctx, settle)
		debug.FreeOSMemory()
		Pause(ctx, settle)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{
		CPU: cpuTime(), Resident: resident(), Heap: int64(m.HeapAlloc), Stacks: int64(m.StackInuse),
		Goroutines: runtime.NumGoroutine(),
	}
}

// resident reads VmRSS, which Linux has.
func resident() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib int64
		if text, found := strings.CutPrefix(lines.Text(), "VmRSS:"); found {
			_, _ = fmt.Sscan(text, &kib)
			return kib << 10
		}
	}
	return 0
}
