package history

import (
	"fmt"
	"slices"

	"github.com/ackbus/ackbus/internal/chaos/eventfile"
)

// A Log is the file that one process appends to. Its methods may be called from many goroutines.
type Log struct {
	clock Clock
	file  *eventfile.File
}

// Create opens a new file of that name, without extension, in a directory. A file that exists is an error: each incarnation of a process
// has its own.
func Create(dir, name string) (*Log, error) {
	file, err := eventfile.Create(dir, name)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return &Log{clock: NewClock(), file: file}, nil
}

// Now is the time of the clock that all logs share.
func (l *Log) Now() int64 { return l.clock.Now() }

// Append writes an event with the time of now, unless it has one, and returns that time.
func (l *Log) Append(e Event) int64 {
	l.file.Append(func() any {
		if e.At == 0 {
			e.At = l.clock.Now()
		}
		return e
	})
	return e.At
}

// Close closes the file. Its error is the first that anything gave: with one the history is worth nothing.
func (l *Log) Close() error { return l.file.Close() }

// Read merges all files of a directory by time.
func Read(dir string) ([]Event, error) {
	all, err := eventfile.Read(dir, func(e *Event, where string) { e.Where = where })
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("history: no events in %s", dir)
	}
	Sort(all)
	return all, nil
}

// Sort brings events into the order of time; of the same time, that in which they stand.
func Sort(events []Event) {
	slices.SortStableFunc(events, func(a, b Event) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
}
