package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/gateway"
)

const (
	socketsTimeout = 5 * time.Second
	maxSockets     = 1000
)

// A sockets is the command of that name.
type sockets struct {
	log   *logFlags
	bus   busFlags
	user  string
	limit int
	json  bool
}

func newSockets(log *logFlags) *cobra.Command {
	s := &sockets{log: log}
	cmd := &cobra.Command{
		Use:   "sockets",
		Short: "List the connected sockets of the cluster",
		Args:  cobra.NoArgs,
		RunE:  running(s.run),
	}
	s.bus.addObserver(cmd.Flags())
	cmd.Flags().StringVar(&s.user, "user", "", "only those of this user")
	parsed(cmd.Flags(), &s.limit, "limit", "n", "100", fmt.Sprintf("how many to list, %d at most", maxSockets), atLeastOne)
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON")
	return cmd
}

func (s *sockets) run(cmd *cobra.Command, _ []string) error {
	ctx, stop := signalled(cmd.Context())
	defer stop()
	b, err := s.bus.joinAsObserver(ctx, cmd, s.log)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }() // nothing is in flight
	ctx, cancel := context.WithTimeout(ctx, socketsTimeout)
	defer cancel()
	found, total, err := gateway.Sockets(ctx, b, gateway.Filter{User: s.user, Limit: min(s.limit, maxSockets)})
	// What some nodes said is worth showing where others did not answer.
	return errors.Join(s.print(cmd.OutOrStdout(), found, total), err)
}

func (s *sockets) print(to io.Writer, found []gateway.SocketInfo, total int) error {
	if s.json {
		return printJSON(to, struct {
			Sockets []gateway.SocketInfo `json:"sockets"`
			Total   int                  `json:"total"`
		}{append([]gateway.SocketInfo{}, found...), total})
	}
	g := newGrid(to, "socket", "node", "user", "groups", "carrier", "since")
	for _, one := range found {
		g.row(one.Socket, clip(one.Node), orDash(one.User), orDash(strings.Join(one.Groups, " ")), one.Carrier,
			one.Since.UTC().Format(time.DateTime+" UTC"))
	}
	if err := g.print(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(to, "%d of %d\n", len(found), total)
	return err
}
