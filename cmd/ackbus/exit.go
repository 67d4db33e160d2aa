package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
	"github.com/ackbus/ackbus/worker"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1 // another outcome than asked for, or a failure
	exitUsage       = 2
	exitUnreachable = 3 // Redis can't be reached
)

// An exitError ends the command with a code. Its text may be empty: then all has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func unreachable(err error) error {
	return &exitError{exitUnreachable, fmt.Errorf("can't reach Redis: %w", plain.Error(err))}
}

// exitCode is the code for an error that a command line ended with. Those without a code come from cobra: an unknown command, a
// missing argument.
func exitCode(err error) int {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return exitUsage
}

// running is what every command's RunE is wrapped in: its errors without a code are failures, and no matter of usage.
func running(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := f(cmd, args)
		if _, coded := errors.AsType[*exitError](err); err == nil || coded {
			return err
		}
		return &exitError{codeOfBus(err), plain.Error(err)}
	}
}

// codeOfBus tells an unreachable Redis, and input that the bus refuses, from other failures.
func codeOfBus(err error) int {
	switch {
	case errors.Is(err, bus.ErrUnavailable), errors.Is(err, worker.ErrUnavailable):
		return exitUnreachable
	case errors.Is(err, bus.ErrAddress), errors.Is(err, bus.ErrBody), errors.Is(err, bus.ErrTooLarge):
		return exitUsage
	case errors.Is(err, worker.ErrName), errors.Is(err, worker.ErrOption), errors.Is(err, worker.ErrTooLarge):
		return exitUsage
	}
	return exitFailed
}

// flagError explains what pflag makes of an argument such as -5.
func flagError(err error) error {
	if strings.Contains(err.Error(), "unknown shorthand flag") {
		return usageError("%w; an argument that begins with a dash goes behind --", err)
	}
	return usageError("%w", err)
}
