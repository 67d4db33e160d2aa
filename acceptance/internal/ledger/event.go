package ledger

import (
	"fmt"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/eventfile"
)

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
type Log struct{ file *eventfile.File }

// Create opens a new event file in a directory. A file that exists is an error: each process has its own.
func Create(dir, name string) (*Log, error) {
	file, err := eventfile.Create(dir, name)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &Log{file}, nil
}

// Append writes an event, with the time of now. Once it has returned, no kill of the process takes the event back.
func (l *Log) Append(e Event) {
	l.file.Append(func() any {
		e.At = time.Now().UnixNano()
		return e
	})
}

// Close closes the file. Its error is the first that anything gave: with one the ledger is worth nothing.
func (l *Log) Close() error { return l.file.Close() }

// Read reads all event files of a directory, one after another. The last line of a file may be cut off: its process was killed in the
// middle of the write.
func Read(dir string) ([]Event, error) {
	return eventfile.Read(dir, func(*Event, string) {})
}
