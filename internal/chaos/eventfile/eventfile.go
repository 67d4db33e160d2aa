// Package eventfile keeps what a process writes down of itself: a file of lines, one an event. An event is in the kernel's hands when
// Append returns, so that what a process wrote outlives its own kill -9.
package eventfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Extension is that of all event files.
const Extension = ".events"

// A File is the event file of one process. Its methods may be called from many goroutines.
type File struct {
	mu   sync.Mutex // guards what is below: one event is one write
	file *os.File
	err  error // the first that a write gave
}

// Create opens a new file of that name, without extension, in a directory. A file that exists is an error: each incarnation of a process
// has its own.
func Create(dir, name string) (*File, error) {
	file, err := os.OpenFile(filepath.Join(dir, name+Extension), os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("eventfile: %w", err)
	}
	return &File{file: file}, nil
}

// Append writes what event returns. It is asked while nobody else writes, so that times that it reads rise in a file.
func (f *File) Append(event func() any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line, err := json.Marshal(event())
	if err == nil {
		_, err = f.file.Write(append(line, '\n'))
	}
	if f.err == nil && err != nil {
		f.err = fmt.Errorf("eventfile: append: %w", err)
	}
}

// Close closes the file. Its error is the first that anything gave: with one the file is worth nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.err, f.file.Close())
}

// Read reads all files of a directory, one after another, and tells each event where it stands. The last line of a file may be cut off:
// its process was killed in the middle of the write.
func Read[E any](dir string, stands func(e *E, where string)) ([]E, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+Extension))
	if err != nil {
		return nil, fmt.Errorf("eventfile: %w", err)
	}
	var all []E
	for _, path := range paths {
		if all, err = readFile(all, path, stands); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func readFile[E any](all []E, path string, stands func(e *E, where string)) ([]E, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("eventfile: %w", err)
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1<<16)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return all, nil // the end, or a line that was cut off
		}
		var e E
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("eventfile: %s:%d: %w", path, number, err)
		}
		stands(&e, fmt.Sprintf("%s:%d", filepath.Base(path), number))
		all = append(all, e)
	}
}
