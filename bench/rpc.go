package main

import (
	"context"
	"errors"
	"strings"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/rpc"
)

const rpcMethod = "bench.echo"

// An rpcEcho is request and reply of the method: a struct as typed callers have them, role.BodySize bytes long as msgpack.
type rpcEcho struct {
	Text string `json:"text"`
}

// rpcFrame is what msgpack adds to the text: the map, the field's name and the lengths.
const rpcFrame = 8

// rpcRequester makes typed calls, as a user of the package does.
func rpcRequester(ctx context.Context, b role.Brief) (*role.Actor, error) {
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, err
	}
	client, err := rpc.NewClient(node, nil)
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	echo := rpcEcho{Text: strings.Repeat("x", role.BodySize-rpcFrame)}
	call := func(ctx context.Context, _ int) error {
		_, err := rpc.Call[rpcEcho](ctx, client, rpcMethod, echo)
		return err
	}
	return &role.Actor{Call: call, Close: func() error { return errors.Join(client.Close(), node.Close()) }}, nil
}

// rpcResponder serves the method with the package's defaults.
func rpcResponder(ctx context.Context, b role.Brief) (*role.Actor, error) {
	node, err := openBus(ctx, b)
	if err != nil {
		return nil, err
	}
	server, err := rpc.NewServer(node, nil)
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	rpc.Handle(server, rpcMethod, func(_ context.Context, in rpcEcho) (rpcEcho, error) { return in, nil })
	if err := server.Start(ctx); err != nil {
		return nil, errors.Join(err, server.Close(), node.Close())
	}
	return &role.Actor{Close: func() error { return errors.Join(server.Close(), node.Close()) }}, nil
}
