package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ackbus/ackbus/internal/chaos/client"
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
}

// Play plays the role that the first line of in describes, until in ends: so no role outlives who started it.
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
	life := run.New(context.Background())
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
	default:
		err = errors.New("chaos: a role of nothing")
	}
	life.Stop()
	return err
}
