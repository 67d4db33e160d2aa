package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/ackbus/ackbus/bench/internal/role"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == role.Argument {
		os.Exit(exitCode(role.Run(os.Args[2:], roles)))
	}
	os.Exit(exitCode(runBench(os.Args[1:])))
}

func exitCode(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	return 1
}

// runBench is the command itself, as opposed to one of its processes.
func runBench(args []string) error {
	s, err := parseSettings(args, os.Stderr)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, s.longest())
	defer cancel()
	r, err := measure(ctx, s, os.Stderr)
	if err != nil {
		return err
	}
	if s.json {
		return r.writeJSON(os.Stdout)
	}
	return r.writeTables(os.Stdout)
}
