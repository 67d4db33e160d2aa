package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"

	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/client"
	"github.com/ackbus/ackbus/internal/chaos/job"
	"github.com/ackbus/ackbus/internal/chaos/method"
	"github.com/ackbus/ackbus/internal/chaos/publisher"
	"github.com/ackbus/ackbus/internal/run"
)

// RoleEnv is set in the environment of a program that is to play a role in place of what it does else.
const RoleEnv = "ACKBUS_CHAOS_ROLE"

// readyLine is what a role prints when it stands.
const readyLine = "ready"

// A role is what a child process is told.
type role struct {
	Clients   *client.Settings    `json:"clients,omitempty"`
	Publisher *publisher.Settings `json:"publisher,omitempty"`
	Instance  *actor.Settings     `json:"instance,omitempty"`
	Caller    *actor.Settings     `json:"caller,omitempty"`
	Workman   *actor.Settings     `json:"workman,omitempty"`
	Clerk     *actor.Settings     `json:"clerk,omitempty"`
}

// Play plays the role that the first line of in describes, until in ends, so that no role outlives who started it, or until the process is
// told to drain.
func Play(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("chaos: no role: %w", err)
	}
	var r role
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("chaos: read the role: %w", err)
	}
	told, stop := signal.NotifyContext(context.Background(), drainSignal)
	defer stop()
	life := run.New(told)
	life.Go(func() {
		_, _ = io.Copy(io.Discard, lines) // its end is what counts
		life.Stop()
	})
	ready := func() { fmt.Fprintln(out, readyLine) }
	switch {
	case r.Clients != nil:
		err = client.Run(life.Context(), r.Clients, ready)
	case r.Publisher != nil:
		err = publisher.Run(life.Context(), r.Publisher, ready)
	case r.Instance != nil:
		err = method.Serve(life.Context(), r.Instance, ready)
	case r.Caller != nil:
		err = method.Call(life.Context(), r.Caller, ready)
	case r.Workman != nil:
		err = job.Work(life.Context(), r.Workman, ready)
	case r.Clerk != nil:
		err = job.Enqueue(life.Context(), r.Clerk, ready)
	default:
		err = errors.New("chaos: a role of nothing")
	}
	life.Stop()
	return err
}
