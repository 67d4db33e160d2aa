package chaos

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/skew"
)

// Options say how long and how hard a run is.
type Options struct {
	// Seed draws the schedule and the traffic.
	Seed uint64
	// Duration is how long faults are done. The start, the end and the judging come besides: about 30 s.
	Duration time.Duration
	// Rate is how many calls each of the three publishers begins in a second. Default: 100.
	Rate int
	// Calls is how many calls of methods begin in a second. Default: 30; negative: none, and nobody serves any.
	Calls int
	// Jobs is how many jobs are enqueued in a second. Default: 20; negative: none, and nobody works.
	Jobs int
	// Dir is where the histories and logs go; it must be empty. Default: a new temporary directory, in memory where there is room: a slow
	// disk would hold everybody up.
	Dir string
	// Ackbus is the binary of the nodes.
	Ackbus string
	// Actors is the program of all others, which plays roles (see RoleEnv). Default: the one that runs.
	Actors string
	// Clocks says that both programs were built so that their clocks can be set (BuildWithClocks).
	Clocks bool
	// Namespaces puts a node into a network namespace, where that is permitted, so that its cables can be unplugged.
	Namespaces bool
	// Chosen has some calls made again under an ID that the publisher chose. Nodes remember those for 30 s, so the end takes longer.
	Chosen bool
	// Only is a fault to do alone, by its name. Default: all.
	Only string
	// Restarts is how many times each node in turn drains and starts again, in place of faults that the seed draws; Duration means nothing
	// then. Default: none.
	Restarts int
	// Clients is how many of each manner there are. Default: 48, of all manners.
	Clients map[string]int
	// Out takes what happens, for a person.
	Out io.Writer
}

const (
	defaultRate  = 100
	defaultCalls = 30
	defaultJobs  = 20
)

// clients is how many of each manner there are by default.
func clients() map[string]int {
	return map[string]int{history.Prompt: 24, history.Slow: 6, history.Weary: 6, history.Unkind: 3, history.Mute: 3, history.Fickle: 6}
}

func (o *Options) withDefaults() (Options, error) {
	filled := *o
	filled.Rate = cmp.Or(filled.Rate, defaultRate)
	filled.Calls = cmp.Or(filled.Calls, defaultCalls)
	filled.Jobs = cmp.Or(filled.Jobs, defaultJobs)
	if filled.Clients == nil {
		filled.Clients = clients()
	}
	if filled.Out == nil {
		filled.Out = io.Discard
	}
	if filled.Dir != "" {
		return filled, os.MkdirAll(filled.Dir, 0o700)
	}
	var err error
	filled.Dir, err = os.MkdirTemp(inMemory(), "chaos-")
	return filled, err
}

// Build compiles the binary of the nodes into a directory, with the race detector if wanted, and returns its path.
func Build(ctx context.Context, dir string, raced bool) (string, error) {
	return build(ctx, dir, "ackbus", "cmd/ackbus", raced)
}

// BuildWithClocks compiles the binary of the nodes, and that of all others, so that the clock of each process can be set.
func BuildWithClocks(ctx context.Context, dir string, raced bool) (ackbus, actors string, err error) {
	overlay, err := skew.Overlay(ctx, dir)
	if err != nil {
		return "", "", err
	}
	if ackbus, err = build(ctx, dir, "ackbus", "cmd/ackbus", raced, "-overlay", overlay); err != nil {
		return "", "", err
	}
	actors, err = build(ctx, dir, "actors", "internal/chaos/cmd/chaos", raced, "-overlay", overlay)
	return ackbus, actors, err
}

func build(ctx context.Context, dir, name, source string, raced bool, args ...string) (string, error) {
	path := filepath.Join(dir, name)
	args = append([]string{"build", "-o", path}, args...)
	if raced {
		args = append(args, "-race")
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "github.com/ackbus/ackbus/"+source)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("chaos: build %s: %w\n%s", name, err, out)
	}
	return path, nil
}
