// Package actor is what the processes of a fault run have in common that are part of the bus or ask it: a history, a watchdog, an account
// of what they hold, and a pace.
package actor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/ackbus/ackbus/bus" //nolint:depguard // an actor is above the bus, as a stranger's program
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
)

// Settings are what every actor is told.
type Settings struct {
	Dir  string `json:"dir"`  // for its history
	Name string `json:"name"` // of the actor and of its history
	Seed uint64 `json:"seed"`
	// Redis is where it joins the bus; empty: it does not.
	Redis    string `json:"redis"`
	Observer bool   `json:"observer"` // joins as a short-lived client does
	// Rate is how many things it begins in a second.
	Rate int `json:"rate"`
}

// An Actor is one while it lives.
type Actor struct {
	*Settings

	Log    *history.Log
	Logger *slog.Logger
}

// Live plays a life, which ends with ctx and must leave nothing behind: what is held after it is written down beside what was held before.
func Live(ctx context.Context, s *Settings, life func(ctx context.Context, a *Actor) error) error {
	log, err := history.Create(s.Dir, s.Name)
	if err != nil {
		return err
	}
	before := held()
	watch := run.New(context.WithoutCancel(ctx))
	watch.Go(func() { log.Watch(watch.Context(), s.Name) })
	file, err := os.Create(filepath.Join(s.Dir, s.Name+".log"))
	if err == nil {
		err = life(ctx, &Actor{Settings: s, Log: log, Logger: slog.New(slog.NewJSONHandler(file, nil))})
		err = errors.Join(err, file.Close())
	}
	watch.Stop()
	watch.Wait()
	tellHeld(log, s.Name, before)
	return errors.Join(err, log.Close())
}

// Join tries until Redis lets it in, or ctx ends.
func (a *Actor) Join(ctx context.Context) (*bus.Bus, error) {
	var b *bus.Bus
	err := Insist(ctx, func() (err error) {
		b, err = bus.Open(ctx, a.Redis, &bus.Options{Name: a.Name, Observer: a.Observer, Logger: a.Logger})
		return err
	})
	return b, err
}

// Insist tries until there is no error, or ctx ends. It returns the last one.
func Insist(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil || !pause.For(ctx, 100*time.Millisecond) {
			return err
		}
	}
}

// Pace begins things at the actor's rate until ctx ends. What came due while the machine had no time is made up for, of a second at most.
func (a *Actor) Pace(ctx context.Context, begin func()) {
	tick := time.NewTicker(time.Second / time.Duration(a.Rate))
	defer tick.Stop()
	began, due := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := int(time.Since(began) * time.Duration(a.Rate) / time.Second)
		for due = max(due, now-a.Rate); due < now; due++ {
			begin()
		}
	}
}
