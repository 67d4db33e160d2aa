package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/rpc"
)

// A methods is the command of that name.
type methods struct {
	log  *logFlags
	bus  busFlags
	json bool
}

func newMethods(log *logFlags) *cobra.Command {
	m := &methods{log: log}
	cmd := &cobra.Command{
		Use:   "methods",
		Short: "List the methods of the bus and who serves them",
		Args:  cobra.NoArgs,
		RunE:  running(m.run),
	}
	m.bus.addObserver(cmd.Flags())
	cmd.Flags().BoolVar(&m.json, "json", false, "print JSON, with the schemas of arguments and results")
	return cmd
}

func (m *methods) run(cmd *cobra.Command, _ []string) error {
	ctx, stop := signalled(cmd.Context())
	defer stop()
	client, done, err := m.bus.callsAsObserver(ctx, cmd, m.log)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	found, err := api.MethodsOf(ctx, client)
	if err != nil {
		return err
	}
	for _, one := range found.Errors {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "ackbus: %s\n", oneLine(one))
	}
	if m.json {
		err = printJSON(cmd.OutOrStdout(), found)
	} else {
		err = m.print(cmd.OutOrStdout(), found.Methods)
	}
	if err == nil && len(found.Errors) > 0 {
		err = &exitError{code: exitFailed} // the listing is not whole
	}
	return err
}

// print prints a row an instance.
func (m *methods) print(to io.Writer, all []rpc.Method) error {
	g := newGrid(to, "method", "version", "node", "calls", "errors", "in flight", "p50", "p99", "notes")
	for _, one := range all {
		for _, in := range one.Instances {
			g.row(clip(one.Name), orDash(in.Version), clip(in.Node), in.Stats.Calls, in.Stats.Errors, in.Stats.InFlight,
				elapsed(in.Stats.P50), elapsed(in.Stats.P99), notes(&one, in.Draining))
		}
	}
	return g.print()
}

func notes(m *rpc.Method, draining bool) string {
	var all []string
	if draining {
		all = append(all, "draining")
	}
	if m.Streaming {
		all = append(all, "stream")
	}
	if m.Idempotent {
		all = append(all, "idempotent")
	}
	if m.Description != "" {
		all = append(all, clip(m.Description))
	}
	return strings.Join(all, ", ")
}
