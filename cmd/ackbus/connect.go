package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/cmd/ackbus/internal/client"
)

// A connect is the command of that name.
type connect struct {
	log         *logFlags
	url         string
	user        string
	groups      []string
	token       string
	reply       client.Answer
	delay       time.Duration
	count       int
	codec       string
	noReconnect bool
	json        bool
}

func newConnect(log *logFlags) *cobra.Command {
	c := &connect{log: log}
	cmd := &cobra.Command{
		Use:     "connect",
		Short:   "Connect as a client that prints and acknowledges messages",
		Example: `  ackbus connect --url tcp://127.0.0.1:7071 --user 42 --group news --reply '{"ok":true}'`,
		Args:    cobra.NoArgs,
		RunE:    running(c.run),
	}
	c.add(cmd.Flags())
	return cmd
}

func (c *connect) add(flags *pflag.FlagSet) {
	flags.StringVar(&c.url, "url", "ws://127.0.0.1:7070/ws", "ws://host:port/ws, wss://… or tcp://host:port")
	flags.StringVar(&c.user, "user", "", "user to connect as, where authentication is off")
	flags.StringSliceVar(&c.groups, "group", nil, "group to be in, where authentication is off (repeatable)")
	flags.StringVar(&c.token, "token", "", "token, where authentication is on")
	parsed(flags, &c.reply, "reply", "ok|nack|none|JSON", "ok", "what to say to a message: confirm, refuse, nothing, or confirm with data",
		parseReply)
	parsed(flags, &c.delay, "delay", "duration", "0s", "how long to take before saying it", between(0, time.Hour))
	parsed(flags, &c.count, "count", "n", "0", "end after so many messages; 0: never", count)
	parsed(flags, &c.codec, "codec", "json|msgpack", "json", "form of the frames; msgpack needs a WebSocket", oneOf("json", "msgpack"))
	flags.BoolVar(&c.noReconnect, "no-reconnect", false, "end when the connection falls, in place of connecting again")
	flags.BoolVar(&c.json, "json", false, "print messages as lines of JSON")
}

func parseReply(text string) (client.Answer, error) {
	switch text {
	case "ok":
		return client.Answer{Kind: client.Confirm}, nil
	case "nack":
		return client.Answer{Kind: client.Refuse, Code: "refused", Message: "refused by ackbus connect --reply nack"}, nil
	case "none":
		return client.Answer{Kind: client.Silent}, nil
	}
	if !json.Valid([]byte(text)) {
		return client.Answer{}, errors.New("want ok, nack, none or JSON" + quotingHint(text))
	}
	return client.Answer{Kind: client.Confirm, Data: json.RawMessage(text)}, nil
}

func (c *connect) run(cmd *cobra.Command, _ []string) error {
	ctx, stop := signalled(cmd.Context())
	defer stop()
	log := c.log.logger(cmd.ErrOrStderr())
	err := client.Run(ctx, client.Options{
		URL: c.url, User: c.user, Groups: c.groups, Token: c.token, Msgpack: c.codec == "msgpack",
		Delay: c.delay, Count: c.count, Once: c.noReconnect, Logger: log,
		Welcomed: func(w client.Welcome) { logWelcome(log, &w) },
		Handle: func(m client.Message) client.Answer {
			if err := c.print(cmd.OutOrStdout(), &m); err != nil {
				log.Error("a message could not be printed", "id", m.ID, "error", err)
			}
			return c.reply
		},
	})
	if errors.Is(err, client.ErrURL) {
		return usageError("--url: %w", err)
	}
	return err
}

func logWelcome(log *slog.Logger, w *client.Welcome) {
	log.Info("connected", "socket", w.Socket, "node", w.Node, "user", w.User, "groups", w.Groups)
}

func (c *connect) print(to io.Writer, m *client.Message) error {
	if c.json {
		return printJSON(to, m)
	}
	again := ""
	if m.Redelivered {
		again = "  (redelivered)"
	}
	_, err := fmt.Fprintf(to, "%s  %s  %s to %s  %s%s\n", time.Now().Format("15:04:05.000"), m.ID, oneLine(m.Event), oneLine(m.To),
		m.Data, again)
	return err
}
