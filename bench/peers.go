package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peers is the program of bench/peers, a module of its own: what it compares with is no dependency of ours.
type peers struct {
	progress io.Writer
	dir      string // temporary
	program  string
}

// build makes the program if it is not there yet. It needs Go and, the first time, the modules from where Go gets them.
func (p *peers) build(ctx context.Context) (string, error) {
	if p.program != "" {
		return p.program, nil
	}
	source, err := sourceOf(ctx, "bench", "peers")
	if err != nil {
		return "", err
	}
	if p.dir, err = os.MkdirTemp("", "ackbus-bench-"); err != nil {
		return "", err
	}
	fmt.Fprintf(p.progress, "building bench/peers into %s\n", p.dir)
	program := filepath.Join(p.dir, "peers")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("building bench/peers: %w\n%s", err, said), p.remove())
	}
	p.program = program
	return program, nil
}

// sourceOf is a directory of the repository.
func sourceOf(ctx context.Context, path ...string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/ackbus/ackbus").Output()
	if err != nil {
		return "", fmt.Errorf("the peers are built from source, so run this within the repository: %w", err)
	}
	return filepath.Join(append([]string{strings.TrimSpace(string(root))}, path...)...), nil
}

// remove deletes what build has made.
func (p *peers) remove() error {
	if p.dir == "" {
		return nil
	}
	return os.RemoveAll(p.dir)
}
