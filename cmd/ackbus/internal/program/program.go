package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/ackbus/ackbus/bus"
)

const (
	// MaxOutput is how many bytes of standard output a result may have unless Job.MaxOutput says otherwise.
	MaxOutput = 1 << 20
	// grace is how long a program has between SIGTERM and SIGKILL.
	grace = time.Second
	// lastWords is how long output is still read when all that is known of a program has ended.
	lastWords = time.Second
)

// ErrOutput is wrapped by the error of a program that wrote more than it may, or JSON that the bus does not carry.
var ErrOutput = errors.New("the program's output can't be used")

// A Job is one run of a program.
type Job struct {
	// Command is run by sh -c.
	Command string
	// Body is written to standard input as JSON, raw bytes as they are. None: the input is empty. A program need not read it.
	Body bus.Body
	// Variables are added to the environment of this process, and win over it.
	Variables map[string]string
	// MaxOutput is how many bytes the program may write to standard output. 0: the constant MaxOutput.
	MaxOutput int
	// Log takes what the program writes to standard error, line by line. Nil: it is dropped.
	Log *slog.Logger
}

// An ExitError says how a program ended that did not end with exit status 0.
type ExitError struct {
	Status int    // -1: a signal ended it
	Signal string // such as "killed", or empty
}

// Error names the exit status or the signal.
func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "the program was ended by a signal: " + e.Signal
	}
	return fmt.Sprintf("the program ended with exit status %d", e.Status)
}

// Run runs the program to its end and returns its result: JSON as it is, other text as a JSON string without its last newline, and
// what is no text as raw bytes. ctx bounds the run; a run that it ended gives its cause. Of a program that failed (*ExitError) the
// result is what it had written; it is none where nothing was written.
func Run(ctx context.Context, job Job) (bus.Body, error) {
	if ctx.Err() != nil {
		return bus.Body{}, context.Cause(ctx)
	}
	in, err := input(job.Body)
	if err != nil {
		return bus.Body{}, err
	}
	p, err := start(ctx, &job)
	if err != nil {
		return bus.Body{}, fmt.Errorf("start the program: %w", err)
	}
	end := p.run(ctx, in)
	switch {
	case end.cut != nil:
		return bus.Body{}, end.cut
	case p.out.overflow:
		return bus.Body{}, fmt.Errorf("%w: more than %d bytes", ErrOutput, p.out.most)
	case end.err != nil:
		return bus.Body{}, fmt.Errorf("await the program: %w", end.err)
	}
	failed := exitError(end.state)
	if failed != nil && len(p.out.bytes) == 0 {
		return bus.Body{}, failed
	}
	result, err := Result(p.out.bytes)
	return result, errors.Join(failed, err)
}

func exitError(state *os.ProcessState) error {
	if state.Success() {
		return nil
	}
	return &ExitError{Status: state.ExitCode(), Signal: signalOf(state)}
}

// command makes the process that the job asks for, in a group of its own.
func command(job *Job) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), "sh", "-c", job.Command) // a run ends its group, not only the shell
	cmd.SysProcAttr = ownGroup()
	cmd.Env = environment(os.Environ(), job.Variables)
	return cmd
}

// environment is what is there with the variables in place of those of the same name. No value holds a NUL: the variable would
// make the start fail.
func environment(base []string, variables map[string]string) []string {
	env := make([]string, 0, len(base)+len(variables))
	for _, one := range base {
		name, _, _ := strings.Cut(one, "=")
		if _, replaced := variables[name]; !replaced {
			env = append(env, one)
		}
	}
	for name, value := range variables {
		env = append(env, name+"="+strings.ReplaceAll(value, "\x00", ""))
	}
	return env
}
