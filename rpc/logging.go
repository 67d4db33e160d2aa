package rpc

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// Logging logs each call, of either side: those that fail as warnings, those whose own doing it is (CodeInternal) as errors, the
// others at level debug. Arguments and results are not logged.
func Logging(to *slog.Logger) Interceptor {
	return func(next Invoker) Invoker {
		return func(ctx context.Context, r *Request) (bus.Body, error) {
			began := time.Now()
			reply, err := next(ctx, r)
			level := slog.LevelDebug
			switch code := CodeOf(err); {
			case code == CodeInternal:
				level = slog.LevelError
			case err != nil:
				level = slog.LevelWarn
			}
			if to.Enabled(ctx, level) {
				to.LogAttrs(ctx, level, "call", r.logged(time.Since(began), err)...)
			}
			return reply, err
		}
	}
}

// logged is what a log says of a call.
func (r *Request) logged(took time.Duration, err error) []slog.Attr {
	attrs := []slog.Attr{slog.String("method", r.Method), slog.Bool("incoming", r.Incoming), slog.Duration("took", took)}
	if r.ID != uuid.Nil {
		attrs = append(attrs, slog.String("id", r.ID.String()), slog.String("from", r.From.String()))
	}
	if err != nil {
		attrs = append(attrs, slog.String("code", string(CodeOf(err))), slog.Any("error", err))
	}
	return attrs
}
