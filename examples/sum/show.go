package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// names are the repliers; the last is the one that is killed.
var names = []string{"north", "south", "west"}

// show plays the whole thing: Redis, the repliers, the requests, and the end of one replier in between.
func show(ctx context.Context, c config, out io.Writer) error {
	if c.redis == "" {
		url, end, err := startRedis(ctx)
		if err != nil {
			return err
		}
		defer end()
		c.redis = url
	}
	var repliers []*replier
	defer func() {
		for _, r := range repliers {
			r.end()
		}
	}()
	for _, name := range names {
		r, err := startReplier(ctx, c, name)
		if err != nil {
			return fmt.Errorf("start replier %s: %w", name, err)
		}
		repliers = append(repliers, r)
	}
	t := tally{by: make(map[string]int)}
	replies := 0
	err := ask(ctx, c, out, func(a answer) {
		t.take(a)
		printAnswer(out, a)
		if replies++; replies == c.killAt {
			last := repliers[len(repliers)-1]
			last.kill()
			fmt.Fprintf(out, "----------- %s was killed\n", last.name)
		}
	})
	if err != nil {
		return err
	}
	return conclude(c, &t, out)
}

func conclude(c config, t *tally, out io.Writer) error {
	shares := make([]string, 0, len(t.by))
	for _, name := range slices.Sorted(maps.Keys(t.by)) {
		shares = append(shares, fmt.Sprintf("%s %d", name, t.by[name]))
	}
	fmt.Fprintf(out, "%d requests: %d right answers, %d of them out of order; %s\n", c.requests, t.right, t.late,
		strings.Join(shares, ", "))
	if t.unknown > 0 {
		fmt.Fprintf(out, "%d unknown: %s had them, and nobody can say how far it came; the method must not run twice\n", t.unknown,
			names[len(names)-1])
	}
	if t.wrong > 0 || t.failed > 0 || t.unknown > 0 && !c.once {
		return fmt.Errorf("%d wrong, %d failed, %d unknown", t.wrong, t.failed, t.unknown)
	}
	return nil
}

// A replier is a process of its own.
type replier struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
}

// startReplier returns once the replier serves.
func startReplier(ctx context.Context, c config, name string) (*replier, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"-reply", name, "-redis", c.redis, "-delay", c.delay.String()}
	if c.once {
		args = append(args, "-once")
	}
	r := &replier{name: name, cmd: exec.CommandContext(ctx, self, args...)}
	r.cmd.Stderr = os.Stderr
	if r.stdin, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		r.kill()
		r.end()
		return nil, fmt.Errorf("it ended: %w", err)
	}
	return r, nil
}

// kill is kill -9: the replier has no time to say anything.
func (r *replier) kill() { _ = r.cmd.Process.Kill() }

// end lets it drain, and waits.
func (r *replier) end() {
	_ = r.stdin.Close()
	_ = r.cmd.Wait() // one was killed
}

// startRedis starts a redis-server on a socket of its own.
func startRedis(ctx context.Context) (url string, end func(), err error) {
	server, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, fmt.Errorf("%w; or say -redis redis://host:port", err)
	}
	dir, err := os.MkdirTemp("", "sum")
	if err != nil {
		return "", nil, err
	}
	socket := filepath.Join(dir, "redis.sock")
	cmd := exec.CommandContext(ctx, server, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	if err := cmd.Start(); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return "unix://" + socket, func() {
		_ = cmd.Process.Kill() // there is nothing in it to keep
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}, nil
}
