package main

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/ackbus/ackbus/bench/internal/role"
)

const natsSubject = "bench.echo"

// natsServer is a server with its defaults, on a port of its own.
func natsServer(_ context.Context, _ role.Brief) (*role.Actor, error) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true})
	if err != nil {
		return nil, err
	}
	s.Start()
	end := func() error {
		s.Shutdown()
		s.WaitForShutdown()
		return nil
	}
	if !s.ReadyForConnections(10 * time.Second) {
		return nil, errors.Join(errors.New("nats-server takes no connections"), end())
	}
	return &role.Actor{Address: s.Addr().String(), Close: end}, nil
}

// natsRequester makes requests as nats.go does by default: one subscription for all answers.
func natsRequester(_ context.Context, b role.Brief) (*role.Actor, error) {
	conn, err := nats.Connect("nats://" + b.Peer)
	if err != nil {
		return nil, err
	}
	body := bytes.Repeat([]byte("x"), role.BodySize)
	call := func(ctx context.Context, _ int) error {
		_, err := conn.RequestWithContext(ctx, natsSubject, body)
		return err
	}
	return &role.Actor{Call: call, Close: func() error {
		conn.Close()
		return nil
	}}, nil
}

// natsResponder answers each message with its own body.
func natsResponder(_ context.Context, b role.Brief) (*role.Actor, error) {
	conn, err := nats.Connect("nats://" + b.Peer)
	if err != nil {
		return nil, err
	}
	end := func() error {
		conn.Close()
		return nil
	}
	// An answer that can't be sent is a request that the requester counts as failed.
	_, err = conn.Subscribe(natsSubject, func(m *nats.Msg) { _ = m.Respond(m.Data) })
	if err == nil {
		err = conn.Flush() // the server knows of it
	}
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return &role.Actor{Close: end}, nil
}
