package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
	"github.com/ackbus/ackbus/internal/plain"
	"github.com/ackbus/ackbus/rpc"
)

// userHeader tells a method which user's client calls it.
const userHeader = "user"

func isMethod(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl) && !strings.Contains(name, "@") &&
		!strings.HasPrefix(name, "ackbus.")
}

// callsOfNode makes the client of a node, through which HTTP and sockets call methods.
func callsOfNode(b *bus.Bus, registry *prometheus.Registry, log *slog.Logger) (*rpc.Client, error) {
	metrics, err := rpc.Metrics(registry)
	if err != nil {
		return nil, err
	}
	return rpc.NewClient(b, &rpc.ClientOptions{Logger: log, Interceptors: []rpc.Interceptor{metrics}})
}

// callsAsObserver joins the bus for the life of one command. The caller calls done.
func (f *busFlags) callsAsObserver(ctx context.Context, cmd *cobra.Command, log *logFlags) (client *rpc.Client, done func(), err error) {
	b, err := f.joinAsObserver(ctx, cmd, log)
	if err != nil {
		return nil, nil, err
	}
	client, err = rpc.NewClient(b, &rpc.ClientOptions{Logger: log.quietly(cmd)})
	if err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	return client, func() {
		if err := errors.Join(client.Close(), b.Close()); err != nil {
			log.quietly(cmd).Debug("closed with errors", "error", plain.Text(err))
		}
	}, nil
}

// gatewayCalls is the gateway's hook. A method that wants to know whose call it is finds the user's name in the headers.
func gatewayCalls(client *rpc.Client) func(context.Context, gateway.Identity, string, bus.Body) (bus.Body, error) {
	return func(ctx context.Context, who gateway.Identity, method string, body bus.Body) (bus.Body, error) {
		var opts []rpc.CallOption
		if who.User != "" {
			opts = append(opts, rpc.WithHeader(userHeader, who.User))
		}
		result, err := client.Call(ctx, method, body, opts...)
		if err == nil {
			return result, nil
		}
		failure := api.CallFailureOf(err)
		_, _, details := rpc.Explain(err)
		return bus.Body{}, &gateway.CallError{Code: string(failure.Code), Message: failure.Message, Details: details}
	}
}
