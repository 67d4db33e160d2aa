package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

const extension = ".events"

// A Log is the file that one process appends to. Its methods may be called from many goroutines.
type Log struct {
	clock Clock

	mu   sync.Mutex // guards what is below: one event is one write
	file *os.File
	err  error // the first that a write gave
}

// Create opens a new file of that name, without extension, in a directory. A file that exists is an error: each incarnation of a process
// has its own.
func Create(dir, name string) (*Log, error) {
	file, err := os.OpenFile(filepath.Join(dir, name+extension), os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return &Log{clock: NewClock(), file: file}, nil
}

// Now is the time of the clock that all logs share.
func (l *Log) Now() int64 { return l.clock.Now() }

// Append writes an event with the time of now, unless it has one, and returns that time.
func (l *Log) Append(e Event) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.At == 0 {
		e.At = l.clock.Now() // within the lock, so that times rise in a file
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = l.file.Write(append(line, '\n'))
	}
	if l.err == nil && err != nil {
		l.err = fmt.Errorf("history: append: %w", err)
	}
	return e.At
}

// Close closes the file. Its error is the first that anything gave: with one the history is worth nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, l.file.Close())
}

// Read merges all files of a directory by time. The last line of a file may be cut off: its process was killed in the middle of the write.
func Read(dir string) ([]Event, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+extension))
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("history: no %s files in %s", extension, dir)
	}
	var all []Event
	for _, path := range paths {
		if all, err = appendFile(all, path); err != nil {
			return nil, err
		}
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

func appendFile(all []Event, path string) ([]Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1<<16)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return all, nil // the end, or a line that was cut off
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("history: %s:%d: %w", path, number, err)
		}
		e.Where = fmt.Sprintf("%s:%d", filepath.Base(path), number)
		all = append(all, e)
	}
}
