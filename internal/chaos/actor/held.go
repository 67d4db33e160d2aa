package actor

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/pause"
)

// letGo is within what everything that was closed must have ended.
const letGo = 5 * time.Second

// held is what this process holds, by the names in histories.
func held() map[string]float64 {
	values := map[string]float64{"goroutines": float64(runtime.NumGoroutine())}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil { // Linux alone
		values["descriptors"] = float64(len(open))
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	values["heap_bytes"] = float64(memory.HeapInuse)
	return values
}

// tellHeld writes down what the process held before it began, and now, when all is closed; connections take a moment to end.
func tellHeld(log *history.Log, actor string, before map[string]float64) {
	ctx, cancel := context.WithTimeout(context.Background(), letGo)
	defer cancel()
	now := held()
	for more(now, before) && pause.For(ctx, 50*time.Millisecond) {
		now = held()
	}
	log.Append(history.Event{Kind: history.Gauge, Actor: actor, Text: "start", Values: before})
	log.Append(history.Event{Kind: history.Gauge, Actor: actor, Text: "end", Values: now})
}

func more(now, before map[string]float64) bool {
	return now["goroutines"] > before["goroutines"] || now["descriptors"] > before["descriptors"]
}
