package publisher

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus" //nolint:depguard // a publisher is above the bus, as a stranger's program
	"github.com/ackbus/ackbus/internal/chaos/history"
)

// A member asks as part of the bus.
type member struct {
	name string
	bus  *bus.Bus
	now  func() int64 // the time of the history
}

func (m *member) from() string  { return m.name }
func (m *member) entry() string { return "" }

func (m *member) ask(ctx context.Context, key history.Key, d *plan) history.End {
	end := history.End{Key: key}
	to, err := bus.ParseAddress(d.to)
	if err != nil {
		end.Failure = err.Error()
		return end
	}
	if d.publish {
		_, err := m.bus.Publish(ctx, to, "chaos", bus.JSON(d.body(key)))
		end.At = m.now()
		fail(&end, err)
		return end
	}
	opts, err := options(d)
	if err != nil {
		end.Failure = err.Error()
		return end
	}
	receipt, err := m.bus.Request(ctx, to, "chaos", bus.JSON(d.body(key)), opts...)
	end.At = m.now() // what follows is this program's own affair
	if receipt == nil {
		fail(&end, err)
		return end
	}
	text, err := json.Marshal(receipt)
	if err == nil {
		err = json.Unmarshal(text, &end.Receipt)
	}
	if err != nil {
		end.Failure = "unreadable receipt: " + err.Error()
	}
	return end
}

func options(d *plan) ([]bus.RequestOption, error) {
	require, err := bus.ParseRequirement(orElse(d.require, "any"))
	if err != nil {
		return nil, err
	}
	level, err := bus.ParseLevel(orElse(d.level, "confirmed"))
	if err != nil {
		return nil, err
	}
	opts := []bus.RequestOption{bus.Require(require), bus.WithLevel(level)}
	if d.volatile {
		opts = append(opts, bus.Volatile())
	}
	if d.chosen {
		id, err := uuid.Parse(d.id)
		if err != nil {
			return nil, err
		}
		opts = append(opts, bus.WithID(id))
	}
	return opts, nil
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// fail writes down why there is no receipt.
func fail(end *history.End, err error) {
	if err == nil {
		return
	}
	end.Detail = err.Error()
	switch {
	case errors.Is(err, bus.ErrUnknown):
		end.Failure = history.Ambiguous
	case errors.Is(err, bus.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		end.Failure = history.Unavailable
	case errors.Is(err, bus.ErrOverloaded):
		end.Failure = history.Overloaded
	default:
		end.Failure = "another error"
	}
}

func (m *member) close() error { return m.bus.Close() }
