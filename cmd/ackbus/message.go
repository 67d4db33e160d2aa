package main

import (
	"io"

	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/internal/plain"
)

// A message is what request and publish have in common.
type message struct{ api.Message }

func (m *message) add(flags *pflag.FlagSet) {
	parsed(flags, &m.ID, "id", "uuid", "", "ID of the message; the same one again joins the first", api.ParseID)
	flags.BoolVar(&m.Volatile, "volatile", false, "drop it at sockets that are not ready to take it at once")
}

// read takes TO EVENT [DATA].
func (m *message) read(args []string, in io.Reader) (err error) {
	if m.To, err = api.ParseTo(args[0]); err != nil {
		return usageError("%w", plain.Error(err))
	}
	if m.Event, err = api.ParseEvent(args[1]); err != nil {
		return usageError("bad event %q: %w", clip(args[1]), err)
	}
	m.Data, err = dataArgument(args, in)
	return err
}
