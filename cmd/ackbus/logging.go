package main

import (
	"errors"
	"io"
	"log/slog"

	"github.com/spf13/pflag"
)

// quietLevel is above every level that the bus logs at.
const quietLevel = slog.LevelError + 1

// logFlags say how the log looks.
type logFlags struct {
	format string
	level  slog.Level
}

func (l *logFlags) add(flags *pflag.FlagSet) {
	parsed(flags, &l.format, "log-format", "text|json", "text", "form of the log on standard error", oneOf("text", "json"))
	parsed(flags, &l.level, "log-level", "level", "info", "least level that is logged: debug, info, warn or error", parseLevel)
}

func parseLevel(text string) (level slog.Level, err error) {
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return 0, errors.New("want debug, info, warn or error")
	}
	return level, nil
}

func (l *logFlags) logger(to io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: l.level}
	if l.format == "json" {
		return slog.New(slog.NewJSONHandler(to, opts))
	}
	return slog.New(slog.NewTextHandler(to, opts))
}
