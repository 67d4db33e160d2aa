package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/ackbus/ackbus/bus"
)

// maxLine is how many bytes of standard error make one line of the log; longer lines are cut in pieces.
const maxLine = 8 << 10

// input is what the program reads.
func input(body bus.Body) ([]byte, error) {
	switch body.Format() {
	case bus.FormatNone:
		return nil, body.Err()
	case bus.FormatRaw:
		return body.Raw(), nil
	case bus.FormatJSON, bus.FormatMsgpack:
	}
	return body.AsJSON()
}

// Result is what the standard output of a program stands for: JSON is the result itself, other text a string without its last
// newline, what is no text raw bytes. Its errors wrap ErrOutput.
func Result(out []byte) (bus.Body, error) {
	if !utf8.Valid(out) {
		return bus.Bytes(out), nil
	}
	if !json.Valid(out) {
		text, found := strings.CutSuffix(string(out), "\n")
		if found {
			text = strings.TrimSuffix(text, "\r")
		}
		return bus.JSON(text), nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, out); err != nil {
		return bus.Body{}, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	body, err := bus.Encoded(bus.FormatJSON, compact.Bytes())
	if err != nil {
		return bus.Body{}, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	return body, nil
}

// An output gathers standard output up to a bound.
type output struct {
	most     int
	full     chan struct{} // closed when there is more
	bytes    []byte        // this and overflow are for the pump, then for whoever waited for it
	overflow bool
}

func (o *output) read(from io.Reader) {
	var all bytes.Buffer
	_, _ = io.Copy(&all, io.LimitReader(from, int64(o.most)+1)) // a pipe ends by EOF, or because it is closed from here
	o.bytes = all.Bytes()
	if all.Len() > o.most {
		o.bytes, o.overflow = nil, true
		close(o.full)
	}
}

// logLines logs what comes, line by line, until it ends.
func logLines(from io.Reader, log *slog.Logger) {
	if log == nil {
		_, _ = io.Copy(io.Discard, from) // as above
		return
	}
	lines := bufio.NewReaderSize(from, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if text := strings.TrimRight(string(line), "\r\n"); text != "" {
			log.Info("the program says", "line", text)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
