// Package aof reads what became of jobs out of Redis's append-only file: every job that was taken in, every start, with its token, and
// every completion, in the order in which Redis carried them out.
package aof

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Record is what Redis's append-only file says of one job.
type Record struct {
	TakenIn int     // how often it was taken in
	Starts  []Start // in order
	Done    int     // how often it was completed
	DoneBy  uint64  // the token of the start that did it
	Dead    int     // how often it went to the dead letters
	Code    string  // why, the last time
	Deleted int     // how often it was deleted, which also ends a job that is done and not kept
	Flushed bool    // Redis was emptied after the job was first heard of
	Lost    bool    // that was before it was over
}

// A Start is one time that a job was given to a worker.
type Start struct {
	Token  uint64
	Worker string // the name of its node
	At     time.Time
}

// Read reads the append-only files of a redis-server, which must not have rewritten them: a rewrite keeps what is, not what was.
// It returns the jobs of all queues, by ID.
func Read(dir string) (map[string]*Record, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.incr.aof"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("aof: no *.incr.aof in %s: %w", dir, errors.Join(err, os.ErrNotExist))
	}
	if len(paths) > 1 {
		return nil, fmt.Errorf("aof: %s was rewritten: %d files", dir, len(paths))
	}
	file, err := os.Open(paths[0])
	if err != nil {
		return nil, fmt.Errorf("aof: %w", err)
	}
	defer file.Close()
	jobs := make(map[string]*Record)
	for in := bufio.NewReaderSize(file, 1<<20); ; {
		command, err := readCommand(in)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return jobs, nil // the server is in the middle of a write, or was killed there
		case err != nil:
			return nil, fmt.Errorf("aof: %s: %w", paths[0], err)
		}
		if err := note(jobs, command); err != nil {
			return nil, fmt.Errorf("aof: %s: %w", paths[0], err)
		}
	}
}

// readCommand reads one command, as clients send them.
func readCommand(in *bufio.Reader) ([][]byte, error) {
	n, err := readNumber(in, '*', mostWords)
	if err != nil {
		return nil, err
	}
	command := make([][]byte, n)
	for i := range command {
		size, err := readNumber(in, '$', mostBytes)
		if err != nil {
			return nil, err
		}
		command[i] = make([]byte, size+2)
		if _, err := io.ReadFull(in, command[i]); err != nil {
			return nil, err
		}
		command[i] = command[i][:size]
	}
	return command, nil
}

// What a command of this package's jobs may have at most: a file that says more is another's.
const (
	mostWords = 1 << 16
	mostBytes = 16 << 20
)

func readNumber(in *bufio.Reader, sign byte, most int) (int, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	line = bytes.TrimSuffix(line, []byte("\r\n"))
	if len(line) < 2 || line[0] != sign {
		return 0, fmt.Errorf("%q where a length begins with %q", line, sign)
	}
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%q is no length", line)
	}
	return n, nil
}

// note notes what a command means for a job: they are hashes <prefix>q:{<queue>}:job:<id>.
func note(jobs map[string]*Record, command [][]byte) error {
	switch strings.ToUpper(string(bytes.Join(command[:min(1, len(command))], nil))) {
	case "FLUSHALL":
		for _, job := range jobs {
			job.Flushed = true
			job.Lost = job.Lost || job.Done+job.Dead+job.Deleted == 0
		}
		return nil
	case "DEL":
		for _, key := range command[1:] {
			if _, id, ok := strings.Cut(string(key), "}:job:"); ok && jobs[id] != nil {
				jobs[id].Deleted++
			}
		}
		return nil
	}
	if len(command) < 4 {
		return nil
	}
	_, id, ok := strings.Cut(string(command[1]), "}:job:")
	if !ok {
		return nil
	}
	job := jobs[id]
	if job == nil {
		job = &Record{}
		jobs[id] = job
	}
	name := strings.ToUpper(string(command[0]))
	if name != "HSET" && name != "HSETNX" {
		return nil
	}
	fields := make(map[string]string, len(command)/2)
	for pair := range slices.Chunk(command[2:], 2) {
		if len(pair) == 2 {
			fields[string(pair[0])] = string(pair[1])
		}
	}
	if name == "HSETNX" {
		if _, spec := fields["d"]; spec {
			job.TakenIn++
		}
		return nil
	}
	return job.set(id, fields)
}

// set notes a start, a completion or a death.
func (r *Record) set(id string, fields map[string]string) error {
	var token uint64
	if text, ok := fields["t"]; ok {
		var err error
		if token, err = strconv.ParseUint(text, 10, 64); err != nil {
			return fmt.Errorf("token of job %s: %w", id, err)
		}
	}
	switch {
	case fields["s"] == "done":
		r.Done++
		r.DoneBy = token
	case fields["s"] == "dead":
		r.Dead++
		r.Code = fields["code"]
	case fields["w"] != "":
		at := time.UnixMicro(int64(token))
		parts := strings.SplitN(fields["w"], ".", 3) // the node's ID, the pool, the node's name
		r.Starts = append(r.Starts, Start{token, parts[len(parts)-1], at})
	}
	return nil
}
