package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// errNoNode says that BullMQ can't be played here, which is no failure of the benchmark.
var errNoNode = errors.New("it needs node and npm, and there are none")

// bullmq is the program of bench/peers/bullmq, which runs on Node.js.
type bullmq struct {
	progress io.Writer
	dir      string // temporary
	program  string
}

// build installs what the program needs, in the versions that its package.json pins, beside a copy of it in a temporary directory. It
// needs npm, and the packages from where npm gets them.
func (p *bullmq) build(ctx context.Context) (string, error) {
	if p.program != "" {
		return p.program, nil
	}
	npm, err := exec.LookPath("npm")
	if err == nil {
		_, err = exec.LookPath("node")
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoNode, err)
	}
	source, err := sourceOf(ctx, "bench", "peers", "bullmq")
	if err != nil {
		return "", err
	}
	if p.dir, err = os.MkdirTemp("", "ackbus-bench-"); err != nil {
		return "", err
	}
	fmt.Fprintf(p.progress, "installing BullMQ into %s\n", p.dir)
	for _, name := range []string{"package.json", "peer.cjs"} {
		if err := copyProgram(filepath.Join(source, name), filepath.Join(p.dir, name)); err != nil {
			return "", errors.Join(err, p.remove())
		}
	}
	cmd := exec.CommandContext(ctx, npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = p.dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("installing BullMQ: %w\n%s", err, said), p.remove())
	}
	p.program = filepath.Join(p.dir, "peer.cjs")
	return p.program, nil
}

func copyProgram(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o700) //nolint:gosec // it is run
}

// remove deletes what build has made.
func (p *bullmq) remove() error {
	if p.dir == "" {
		return nil
	}
	return os.RemoveAll(p.dir)
}
