package main

import (
	"errors"
	"io"

	"github.com/google/uuid"
	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/bus"
)

// A message is what request and publish have in common.
type message struct {
	id       uuid.UUID
	volatile bool

	to    bus.Address
	event string
	data  bus.Body
}

func (m *message) add(flags *pflag.FlagSet) {
	parsed(flags, &m.id, "id", "uuid", "", "ID of the message; the same one again joins the first", parseID)
	flags.BoolVar(&m.volatile, "volatile", false, "drop it at sockets that are not ready to take it at once")
}

func parseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || id == uuid.Nil {
		return uuid.Nil, errors.New("want a UUID")
	}
	return id, nil
}

// read takes TO EVENT [DATA].
func (m *message) read(args []string, in io.Reader) (err error) {
	if m.to, err = bus.ParseAddress(args[0]); err != nil {
		return usageError("%w", plain(err))
	}
	if m.event = args[1]; m.event == "" {
		return usageError("the event is empty: want a name, as in payment.settled")
	}
	m.data, err = dataArgument(args, in)
	return err
}

func (m *message) options() []bus.SendOption {
	var opts []bus.SendOption
	if m.volatile {
		opts = append(opts, bus.Volatile())
	}
	if m.id != uuid.Nil {
		opts = append(opts, bus.WithID(m.id))
	}
	return opts
}
