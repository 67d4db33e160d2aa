package main

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/internal/run"
)

const plainRequests = "bench:plain:requests"

// A plainClient is request and reply as one writes them with go-redis: a correlation map, and a private channel for answers.
type plainClient struct {
	redis   *redis.Client
	replies string // the private channel
	body    string

	mu      sync.Mutex
	waiting map[string]chan string // by correlation ID
}

func plainRequester(ctx context.Context, b role.Brief) (*role.Actor, error) {
	c := &plainClient{redis: redis.NewClient(&redis.Options{Addr: b.Redis}), replies: "bench:plain:" + uuid.NewString(),
		body: strings.Repeat("x", role.BodySize), waiting: make(map[string]chan string)}
	closeListener, err := listen(ctx, c.redis, c.replies, c.answered)
	if err != nil {
		return nil, errors.Join(err, c.redis.Close())
	}
	return &role.Actor{Call: c.call, Close: closeListener}, nil
}

// call publishes "<id> <reply channel> <body>" and awaits "<id> <body>".
func (c *plainClient) call(ctx context.Context, _ int) error {
	id, answer := uuid.NewString(), make(chan string, 1)
	c.mu.Lock()
	c.waiting[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()
	if err := c.redis.Publish(ctx, plainRequests, id+" "+c.replies+" "+c.body).Err(); err != nil {
		return err
	}
	select {
	case <-answer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *plainClient) answered(payload string) {
	id, body, _ := strings.Cut(payload, " ")
	c.mu.Lock()
	answer := c.waiting[id]
	c.mu.Unlock()
	if answer != nil {
		answer <- body
	}
}

// plainResponder answers each message in a goroutine of its own, for a PUBLISH is a round trip.
func plainResponder(ctx context.Context, b role.Brief) (*role.Actor, error) {
	client := redis.NewClient(&redis.Options{Addr: b.Redis})
	handlers := run.New(ctx)
	closeListener, err := listen(ctx, client, plainRequests, func(payload string) {
		handlers.Go(func() {
			id, rest, _ := strings.Cut(payload, " ")
			replies, body, _ := strings.Cut(rest, " ")
			_ = client.Publish(ctx, replies, id+" "+body).Err() // lost: the requester counts it
		})
	})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &role.Actor{Close: func() error {
		handlers.Stop()
		handlers.Wait()
		return closeListener()
	}}, nil
}

// listen hands over what comes on a channel. The function that it returns ends that, and closes the client.
func listen(ctx context.Context, client *redis.Client, channel string, take func(payload string)) (func() error, error) {
	pubsub := client.Subscribe(ctx, channel)
	if _, err := pubsub.Receive(ctx); err != nil { // the confirmation
		return nil, errors.Join(err, pubsub.Close())
	}
	group := run.New(ctx)
	messages := pubsub.Channel()
	group.Go(func() {
		for m := range messages {
			take(m.Payload)
		}
	})
	return func() error {
		err := errors.Join(pubsub.Close(), client.Close())
		group.Stop()
		group.Wait()
		return err
	}, nil
}
