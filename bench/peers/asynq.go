package main

import (
	"context"
	"encoding/json"

	"github.com/hibiken/asynq"

	"github.com/ackbus/ackbus/bench/internal/role"
)

const asynqTask = "bench"

// asynqProducer enqueues. asynq has no way to await a result.
func asynqProducer(_ context.Context, b role.Brief) (*role.Actor, error) {
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: b.Redis})
	enqueue := func(ctx context.Context, j role.Job) error {
		payload, err := json.Marshal(j)
		if err != nil {
			return err
		}
		_, err = client.EnqueueContext(ctx, asynq.NewTask(asynqTask, payload))
		return err
	}
	return &role.Actor{Acts: role.ProducerActs(enqueue), Close: client.Close}, nil
}

// asynqPool runs jobs that do nothing, on a server with its defaults.
func asynqPool(_ context.Context, b role.Brief) (*role.Actor, error) {
	open := func(_ context.Context, inFlight int, start func(role.Job)) (func() error, error) {
		server := asynq.NewServer(asynq.RedisClientOpt{Addr: b.Redis}, asynq.Config{Concurrency: inFlight, LogLevel: asynq.ErrorLevel})
		err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
			var j role.Job
			if err := json.Unmarshal(task.Payload(), &j); err != nil {
				return err
			}
			start(j)
			return nil
		}))
		if err != nil {
			return nil, err
		}
		return func() error {
			server.Shutdown()
			return nil
		}, nil
	}
	return &role.Actor{Acts: role.PoolActs(open), Close: func() error { return nil }}, nil
}
