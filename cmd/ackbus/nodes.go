package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
)

// A nodes is the command of that name.
type nodes struct {
	log  *logFlags
	bus  busFlags
	json bool
}

func newNodes(log *logFlags) *cobra.Command {
	n := &nodes{log: log}
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes of the bus",
		Args:  cobra.NoArgs,
		RunE:  running(n.run),
	}
	n.bus.addObserver(cmd.Flags())
	cmd.Flags().BoolVar(&n.json, "json", false, "print JSON")
	return cmd
}

func (n *nodes) run(cmd *cobra.Command, _ []string) error {
	ctx, stop := signalled(cmd.Context())
	defer stop()
	b, err := n.bus.joinAsObserver(ctx, cmd, n.log)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }() // nothing is in flight
	settle(ctx, b)
	found := api.Nodes(b.Nodes())
	if n.json {
		return printJSON(cmd.OutOrStdout(), struct {
			Nodes []api.Node `json:"nodes"`
		}{found})
	}
	g := newGrid(cmd.OutOrStdout(), "name", "id", "sockets", "methods", "state", "seen")
	for _, one := range found {
		g.row(clip(one.Name), one.ID, one.Sockets, one.Methods, stateOf(one), elapsed(time.Duration(one.Seen*float64(time.Millisecond))))
	}
	return g.print()
}

// settle waits until the bus knows the other members: that takes an answer to its roll call, at most a second.
func settle(ctx context.Context, b *bus.Bus) {
	const tick, most = 5 * time.Millisecond, 1500 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for b.Ready() != nil {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func stateOf(n api.Node) string {
	switch {
	case n.Observer:
		return "observer"
	case n.Draining:
		return "draining"
	case !n.Settled:
		return "joining"
	}
	return "settled"
}
