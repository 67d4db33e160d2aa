package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/cmd/ackbus/internal/program"
)

// A runner is what reply and work have in common: a node that runs a program for whatever comes.
type runner struct {
	bus         busFlags
	purpose     string // of the program, as in: does a job
	exec        string
	concurrency int
	name        string
	drain       time.Duration
	adminAt     string // or off
	insecure    bool
	admin       *adminPort
	registry    *prometheus.Registry
	running     sync.WaitGroup // the programs
}

// add adds the flags. items are what comes, such as jobs, and who is what the node is called.
func (r *runner) add(flags *pflag.FlagSet, items, who string) {
	r.bus.addObserver(flags)
	flags.StringVar(&r.exec, "exec", "", "command that "+r.purpose+" (needed)")
	parsed(flags, &r.concurrency, "concurrency", "n", "4", "how many "+items+" to run at once", atLeastOne)
	parsed(flags, &r.name, "name", "string", "", "readable name of the "+who+" (default the host's name)", nodeName)
	parsed(flags, &r.drain, "drain", "duration", "30s", "how long SIGTERM waits for "+items+" that run", between(0, time.Hour))
	flags.StringVar(&r.adminAt, "admin", off, "address of metrics, health and profiles, or "+off)
	flags.BoolVar(&r.insecure, "insecure", false, "show --admin beyond loopback, where it asks nobody for a key")
}

func (r *runner) check() error {
	if r.exec == "" {
		return usageError("--exec is missing: want the command that %s", r.purpose)
	}
	if r.adminAt == off {
		return nil
	}
	local, err := isLoopback(r.adminAt)
	if err != nil {
		return usageError("--admin: %w", err)
	}
	if !local && !r.insecure {
		return usageError("--admin %s is reachable from other machines, and shows profiles and the command line to everybody: "+
			"listen on 127.0.0.1, or say --insecure", r.adminAt)
	}
	return nil
}

// open attaches the node, and shows it to operators. The caller calls close.
func (r *runner) open(ctx context.Context, cmd *cobra.Command, log *slog.Logger) (b *bus.Bus, err error) {
	r.registry = newRegistry()
	if r.admin, err = listenAdmin(ctx, r.adminAt); err != nil {
		return nil, err
	}
	b, err = r.bus.open(ctx, &bus.Options{Name: cmp.Or(r.name, hostname()), Logger: log, Metrics: r.registry}, nil)
	if err != nil {
		r.admin.close()
		return nil, r.bus.hint(cmd, err)
	}
	if err := r.admin.serve(r.registry, b.Ready, log); err != nil {
		r.admin.close()
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// launch runs the program once. ctx bounds the run.
func (r *runner) launch(ctx context.Context, body bus.Body, variables map[string]string, log *slog.Logger) (bus.Body, error) {
	r.running.Add(1)
	defer r.running.Done()
	began := time.Now()
	result, err := program.Run(ctx, program.Job{Command: r.exec, Body: body, Variables: variables, Log: log})
	log.Debug("the program ended", "took", time.Since(began), "error", err)
	return result, err
}

// hostname is the name of a node that was given none.
func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}
