package main

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/rpc"
)

const (
	rpcMethod = "bench.echo"
	rawMethod = "bench.raw"
)

// An rpcEcho is request and reply of the method: a struct as typed callers have them, role.BodySize bytes long as msgpack.
type rpcEcho struct {
	Text string `json:"text"`
}

// rpcFrame is what msgpack adds to the text: the map, the field's name and the lengths.
const rpcFrame = 8

// rpcRequester makes typed calls, as a user of the package does.
func rpcRequester(ctx context.Context, b role.Brief) (*role.Actor, error) {
	echo := rpcEcho{Text: strings.Repeat("x", role.BodySize-rpcFrame)}
	return caller(ctx, b, func(ctx context.Context, c *rpc.Client) error {
		_, err := rpc.Call[rpcEcho](ctx, c, rpcMethod, echo)
		return err
	})
}

// rpcResponder serves the method with the package's defaults.
func rpcResponder(ctx context.Context, b role.Brief) (*role.Actor, error) {
	return callee(ctx, b, func(s *rpc.Server) {
		rpc.Handle(s, rpcMethod, func(_ context.Context, in rpcEcho) (rpcEcho, error) { return in, nil })
	})
}

// rawRequester calls with bytes that nobody encodes or decodes, as a caller over NATS does.
func rawRequester(ctx context.Context, b role.Brief) (*role.Actor, error) {
	body := bus.Bytes(bytes.Repeat([]byte("x"), role.BodySize))
	return caller(ctx, b, func(ctx context.Context, c *rpc.Client) error {
		_, err := c.Call(ctx, rawMethod, body)
		return err
	})
}

// rawResponder answers with the bytes that came.
func rawResponder(ctx context.Context, b role.Brief) (*role.Actor, error) {
	return callee(ctx, b, func(s *rpc.Server) {
		s.HandleFunc(rawMethod, func(_ context.Context, r *rpc.Request) (bus.Body, error) { return r.Body, nil })
	})
}

func caller(ctx context.Context, b role.Brief, call func(context.Context, *rpc.Client) error) (*role.Actor, error) {
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, err
	}
	client, err := rpc.NewClient(node, nil)
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return &role.Actor{Call: func(ctx context.Context, _ int) error { return call(ctx, client) },
		Close: func() error { return errors.Join(client.Close(), node.Close()) }}, nil
}

func callee(ctx context.Context, b role.Brief, serve func(*rpc.Server)) (*role.Actor, error) {
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, err
	}
	server, err := rpc.NewServer(node, nil)
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	serve(server)
	if err := server.Start(ctx); err != nil {
		return nil, errors.Join(err, server.Close(), node.Close())
	}
	return &role.Actor{Close: func() error { return errors.Join(server.Close(), node.Close()) }}, nil
}
