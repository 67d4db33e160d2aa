package main

import (
	"context"
	"errors"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/worker"
)

const workerQueue = "bench"

// openJobs attaches to the jobs. The function that it returns ends that.
func openJobs(ctx context.Context, b role.Brief) (*worker.Jobs, func() error, error) {
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	jobs, err := worker.Open(ctx, node, "redis://"+b.Redis, nil)
	if err != nil {
		return nil, nil, errors.Join(err, node.Close())
	}
	return jobs, func() error { return errors.Join(jobs.Close(), node.Close()) }, nil
}

// workerProducer enqueues; its call also awaits the result.
func workerProducer(ctx context.Context, b role.Brief) (*role.Actor, error) {
	jobs, end, err := openJobs(ctx, b)
	if err != nil {
		return nil, err
	}
	queue := jobs.Queue(workerQueue)
	acts := role.ProducerActs(func(ctx context.Context, j role.Job) error {
		_, err := queue.Enqueue(ctx, j)
		return err
	})
	acts[role.ActBatch] = role.EnqueueAct(batchJobs, func(ctx context.Context) error {
		batch := make([]any, batchJobs)
		for i := range batch {
			batch[i] = role.NewJob()
		}
		_, err := queue.EnqueueBatch(ctx, batch)
		return err
	})
	call := func(ctx context.Context, _ int) error {
		_, err := worker.Call[struct{}](ctx, queue, role.NewJob())
		return err
	}
	return &role.Actor{Call: call, Acts: acts, Close: end}, nil
}

// workerPool runs jobs that do nothing.
func workerPool(ctx context.Context, b role.Brief) (*role.Actor, error) {
	jobs, end, err := openJobs(ctx, b)
	if err != nil {
		return nil, err
	}
	open := func(ctx context.Context, inFlight int, start func(role.Job)) (func() error, error) {
		pool := jobs.Pool(nil)
		worker.Handle(pool, workerQueue, func(_ context.Context, j role.Job) (struct{}, error) {
			start(j)
			return struct{}{}, nil
		}, worker.Concurrency(inFlight), worker.Prefetch(b.Prefetch))
		group := run.New(ctx)
		var failure error
		group.Go(func() { failure = pool.Run(group.Context()) })
		return func() error {
			group.Stop()
			group.Wait()
			if errors.Is(failure, context.Canceled) {
				return nil
			}
			return failure
		}, nil
	}
	return &role.Actor{Acts: role.PoolActs(open), Close: end}, nil
}
