package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// demoTimeout bounds the whole demonstration; it takes a few seconds.
const demoTimeout = 20 * time.Second

// A demo is the command of that name.
type demo struct {
	log  *logFlags
	json bool
}

func newDemo(log *logFlags) *cobra.Command {
	d := &demo{log: log}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show every outcome on a cluster in this process",
		Long: `Start an embedded Redis, three nodes and a dozen clients in this process, send them requests, and print what became of each.

It ends by itself, with 0 if every request ended as it should.`,
		Args: cobra.NoArgs,
		RunE: running(d.run),
	}
	cmd.Flags().BoolVar(&d.json, "json", false, "print the receipts as JSON")
	return cmd
}

func (d *demo) run(cmd *cobra.Command, _ []string) error {
	ctx, stop := signalled(cmd.Context())
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, demoTimeout, fmt.Errorf("the demo took longer than %v", demoTimeout))
	defer cancel()
	shown, err := d.play(ctx, cmd)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return err
	}
	if d.json {
		if err := printJSON(cmd.OutOrStdout(), shown); err != nil {
			return err
		}
	} else if err := printDemo(cmd.OutOrStdout(), shown); err != nil {
		return err
	}
	return verdict(shown)
}

// play starts the cluster and the clients, and plays every scene.
func (d *demo) play(ctx context.Context, cmd *cobra.Command) ([]shown, error) {
	quiet := *d.log
	if !cmd.Flags().Changed("log-level") {
		quiet.level = quietLevel // nodes are about to lose their clients and their Redis: that is the show
	}
	say(cmd.ErrOrStderr(), "starting an embedded Redis and the nodes node-1, node-2 and node-3")
	c, err := startCluster(ctx, quiet.logger(cmd.ErrOrStderr()))
	if err != nil {
		return nil, err
	}
	defer c.close()
	say(cmd.ErrOrStderr(), "connecting clients over WebSocket and TCP")
	if err := c.connectAll(ctx); err != nil {
		return nil, err
	}
	all := scenes(c)
	played := make([]shown, 0, len(all))
	for i, s := range all {
		say(cmd.ErrOrStderr(), fmt.Sprintf("%d of %d: %s", i+1, len(all), s.title))
		one, err := s.play(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.title, err)
		}
		played = append(played, one)
	}
	return played, nil
}

// say tells a person what goes on.
func say(w io.Writer, what string) {
	if isTerminal(w) {
		_, _ = fmt.Fprintln(w, what)
	}
}

// verdict is nil if every scene ended as it should, and says which did not otherwise.
func verdict(all []shown) error {
	var errs []error
	for _, s := range all {
		if s.Fault != "" {
			errs = append(errs, fmt.Errorf("%s: %s", s.Title, s.Fault))
		}
	}
	return errors.Join(errs...)
}
