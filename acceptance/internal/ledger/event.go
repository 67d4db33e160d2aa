package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const extension = ".events"

// The kinds of events.
const (
	Taken  = "taken"  // Enqueue returned without an error: from now on the job may not be lost
	Began  = "began"  // a handler was called
	Ate    = "ate"    // a handler holds so much memory: Number, in bytes
	Effect = "effect" // a handler did what the job is for
	Lapsed = "lapsed" // a handler's context ended before it returned: Text says why
	Result = "result" // a caller got a result: Text
	Killed = "killed" // somebody killed the Worker
	Outage = "outage" // somebody killed Redis, and started it again
)

// An Event is one line of an event file.
type Event struct {
	At      int64  `json:"at"` // nanoseconds of Unix time
	Kind    string `json:"kind"`
	Job     string `json:"job,omitempty"`
	Worker  string `json:"worker,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Token   uint64 `json:"token,omitempty"`
	Number  int64  `json:"number,omitempty"`
	Text    string `json:"text,omitempty"`
}

// A Log is the event file of one process. Its methods may be called from many goroutines.
type Log struct {
	mu   sync.Mutex // guards what is below: one event is one write
	file *os.File
	err  error // the first that a write gave
}

// Create opens a new event file in a directory. A file that exists is an error: each process has its own.
func Create(dir, name string) (*Log, error) {
	file, err := os.OpenFile(filepath.Join(dir, name+extension), os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &Log{file: file}, nil
}

// Append writes an event, with the time of now. Once it has returned, no kill of the process takes the event back.
func (l *Log) Append(e Event) {
	e.At = time.Now().UnixNano()
	line, err := json.Marshal(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		_, err = l.file.Write(append(line, '\n'))
	}
	if l.err == nil && err != nil {
		l.err = fmt.Errorf("ledger: append: %w", err)
	}
}

// Close closes the file. Its error is the first that anything gave: with one the ledger is worth nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, l.file.Close())
}

// Read reads all event files of a directory, one after another. The last line of a file may be cut off: its process was killed in the
// middle of the write.
func Read(dir string) ([]Event, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+extension))
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	var all []Event
	for _, path := range paths {
		if all, err = readFile(all, path); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func readFile(all []Event, path string) ([]Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
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
			return nil, fmt.Errorf("ledger: %s:%d: %w", path, number, err)
		}
		all = append(all, e)
	}
}
