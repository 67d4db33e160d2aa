package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ackbus/ackbus/worker"
)

// attempts is how often a batch is tried: each worker that is killed costs one.
const attempts = 100

// errFound ends the search.
var errFound = errors.New("found")

// crack enqueues batches, as many as may be under way at once, and has the sink take the answers. It returns the word, or "" where no
// word has the hash.
func (p *party) crack(ctx context.Context, s *search, ahead int, b *bar) (string, error) {
	group, ctx := errgroup.WithContext(ctx)
	batches, results := make(chan batch), make(chan *worker.Result)
	group.Go(func() error {
		defer close(batches)
		for one := range s.batches() {
			select {
			case batches <- one:
			case <-ctx.Done():
				return nil
			}
		}
		return nil
	})
	var callers errgroup.Group
	run := uuid.NewString()
	for range ahead {
		callers.Go(func() error { return p.call(ctx, run, batches, results) })
	}
	group.Go(func() error {
		defer close(results)
		return callers.Wait()
	})
	found := ""
	group.Go(func() (err error) {
		found, err = sink(results, b)
		return err
	})
	if err := group.Wait(); err != nil && !errors.Is(err, errFound) {
		return "", err
	}
	return found, nil
}

// call enqueues one batch after another and hands on what came of it.
func (p *party) call(ctx context.Context, run string, batches <-chan batch, results chan<- *worker.Result) error {
	for one := range batches {
		id := worker.JobID(fmt.Sprintf("%s.%d", run, one.From))
		result, err := p.insist(ctx, id, one)
		if ctx.Err() != nil {
			return p.withdraw(ctx, id)
		}
		if err != nil {
			return err
		}
		select {
		case results <- result:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// insist awaits a batch, also while Redis is away: under its ID it is enqueued once, however often that is tried.
func (p *party) insist(ctx context.Context, id worker.JobID, one batch) (*worker.Result, error) {
	const pause = 200 * time.Millisecond
	for {
		result, err := p.queue.CallBody(ctx, one, worker.WithID(id), worker.MaxAttempts(attempts))
		if !errors.Is(err, worker.ErrUnavailable) && !errors.Is(err, worker.ErrUnknown) {
			return result, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// withdraw deletes a batch that nobody needs any more; whoever works at it stops at once.
func (p *party) withdraw(ctx context.Context, id worker.JobID) error {
	cause := context.Cause(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if err := p.queue.Delete(ctx, id); err != nil && !errors.Is(err, worker.ErrNoJob) {
		return err
	}
	return cause
}
