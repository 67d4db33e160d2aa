package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ackbus/ackbus/acceptance/internal/ledger"
	"github.com/ackbus/ackbus/worker"
)

// A Task is what a job asks for: to do nothing for some milliseconds and then the effect, or something worse.
type Task struct {
	Do      string `json:"do,omitempty"`
	Millis  int    `json:"millis,omitempty"`
	Release string `json:"release,omitempty"` // the file that a held job waits for
}

// hands do the tasks.
type hands struct {
	name   string
	events *ledger.Log
}

// do is the handler.
func (h *hands) do(ctx context.Context, t Task) (string, error) {
	job, ok := worker.JobOf(ctx)
	if !ok {
		return "", fmt.Errorf("no job in the context of %+v", t)
	}
	note := func(kind string, number int64, text string) {
		h.events.Append(ledger.Event{Kind: kind, Job: string(job.ID), Worker: h.name, Attempt: job.Attempt, Token: job.Token,
			Number: number, Text: text})
	}
	if t.Do != "" {
		note(ledger.Began, 0, t.Do)
	}
	switch {
	case t.Do == "panic":
		panic("as it was told to")
	case t.Do == "eat":
		eat(ctx, func(bytes int64) { note(ledger.Ate, bytes, "") })
	case t.Do == "hang":
		select {} // whatever its context says
	case t.Do == "hold" && job.Attempt == 1:
		hold(ctx, t.Release, func() { note(ledger.Lapsed, 0, fmt.Sprint(context.Cause(ctx))) })
	}
	pause := time.NewTimer(time.Duration(t.Millis) * time.Millisecond)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		note(ledger.Lapsed, 0, fmt.Sprint(context.Cause(ctx)))
		if t.Do == "" {
			return "", context.Cause(ctx)
		}
	}
	note(ledger.Effect, 0, "")
	return ledger.ResultOf(string(job.ID)), nil
}

// hold returns once the file is there, whatever the context says, which it only tells.
func hold(ctx context.Context, release string, lapsed func()) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ended := ctx.Done()
	for {
		select {
		case <-tick.C:
			if _, err := os.Stat(release); err == nil {
				return
			}
		case <-ended:
			ended = nil
			lapsed()
		}
	}
}

// eat takes more and more memory, until somebody ends the process.
func eat(ctx context.Context, ate func(bytes int64)) {
	const bite = 8 << 20
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var held [][]byte
	for ctx.Err() == nil {
		<-tick.C
		piece := make([]byte, bite)
		for i := 0; i < len(piece); i += 4096 {
			piece[i] = 1 // or it would not be there
		}
		held = append(held, piece)
		ate(int64(len(held) * bite))
	}
}
