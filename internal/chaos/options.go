package chaos

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// Options say how long and how hard a run is.
type Options struct {
	// Seed draws the schedule and the traffic.
	Seed uint64
	// Duration is how long faults are done. The start, the end and the judging come besides: about 30 s.
	Duration time.Duration
	// Rate is how many calls each of the three publishers begins in a second. Default: 100.
	Rate int
	// Dir is where the histories and logs go; it must be empty. Default: a new temporary directory, in memory where there is room: a slow
	// disk would hold everybody up.
	Dir string
	// Ackbus is the binary of the nodes.
	Ackbus string
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

const defaultRate = 100

// clients is how many of each manner there are by default.
func clients() map[string]int {
	return map[string]int{history.Prompt: 24, history.Slow: 6, history.Weary: 6, history.Unkind: 3, history.Mute: 3, history.Fickle: 6}
}

func (o *Options) withDefaults() (Options, error) {
	filled := *o
	if filled.Rate == 0 {
		filled.Rate = defaultRate
	}
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
	path := filepath.Join(dir, "ackbus")
	args := []string{"build", "-o", path}
	if raced {
		args = append(args, "-race")
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "github.com/ackbus/ackbus/cmd/ackbus")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("chaos: build the nodes: %w\n%s", err, out)
	}
	return path, nil
}
