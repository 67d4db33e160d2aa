package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/ackbus/ackbus/internal/run"
)

// signalled ends the context at the first SIGINT or SIGTERM; the second one ends the process at once, with the code that a shell
// gives to a process that died of it. The caller calls stop when signals are to do again what they do by default.
func signalled(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2) // the second may come before the first was taken
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	watch := run.New(context.WithoutCancel(ctx))
	watch.Go(func() {
		for first := true; ; first = false {
			select {
			case s := <-signals:
				if !first {
					os.Exit(128 + signalNumber(s))
				}
				cancel()
			case <-watch.Context().Done():
				return
			}
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		watch.Stop()
		watch.Wait()
	}
}

func signalNumber(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return int(n)
	}
	return 0
}
