package relay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Bounds of one reply. The largest that is asked for is the count of a cluster's nodes.
const (
	replyDepth  = 4
	replyBudget = 16 << 20 // bytes of memory, about
	replyCost   = 64       // of each part besides its text
)

var errOddReply = errors.New("relay: Redis sent no valid RESP2")

// A reply is one answer of Redis, by its kind in RESP2: '+' and '$' have a text, ':' a number, '*' parts, '-' is an error. A
// null has the number -1.
type reply struct {
	kind   byte
	number int64
	text   string
	parts  []reply
}

// A refusal is an error reply. It is one of go-redis's kind, so that the two are told apart from failures alike.
type refusal string

func (r refusal) Error() string { return string(r) }

// RedisError marks it as a redis.Error.
func (refusal) RedisError() {}

// err is the error that Redis answered with, or nil.
func (v *reply) err() error {
	if v.kind == '-' {
		return refusal(v.text)
	}
	return nil
}

// A replyReader reads replies, and allocates nothing for a number.
type replyReader struct {
	*bufio.Reader
	budget int // left for the present reply
}

func newReplyReader(r io.Reader) *replyReader {
	return &replyReader{Reader: bufio.NewReaderSize(r, 64<<10)}
}

// next reads one reply. After an error nothing more can be read.
func (in *replyReader) next() (reply, error) {
	in.budget = replyBudget
	return in.part(replyDepth)
}

func (in *replyReader) part(depth int) (v reply, err error) {
	line, err := in.line()
	if err != nil {
		return v, err
	}
	v.kind, line = line[0], line[1:]
	switch v.kind {
	case '+', '-':
		v.text = string(line)
		return v, nil
	case ':', '$', '*':
		if v.number, err = strconv.ParseInt(string(line), 10, 64); err != nil {
			return v, fmt.Errorf("%w: %w", errOddReply, err)
		}
	default:
		return v, fmt.Errorf("%w: it begins with %q", errOddReply, v.kind)
	}
	switch {
	case v.kind == ':' || v.number == -1:
		return v, nil
	case v.kind == '$':
		v.text, err = in.bulk(v.number)
	default:
		v.parts, err = in.array(v.number, depth-1)
	}
	return v, err
}

// line reads to the end of a line, of which it returns at least one byte. It is valid until the next read.
func (in *replyReader) line() ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("%w: a line without an end", errOddReply)
	}
	if err != nil {
		return nil, err
	}
	end := len(line) - len("\r\n")
	if end < 1 || line[end] != '\r' {
		return nil, fmt.Errorf("%w: line %.20q", errOddReply, line)
	}
	return line[:end], in.spend(replyCost + int64(end))
}

func (in *replyReader) spend(bytes int64) error {
	if bytes < 0 || bytes > int64(in.budget) {
		return fmt.Errorf("%w: a reply of over %d bytes", errOddReply, replyBudget)
	}
	in.budget -= int(bytes)
	return nil
}

func (in *replyReader) bulk(size int64) (string, error) {
	if err := in.spend(size); err != nil {
		return "", err
	}
	text := make([]byte, size+int64(len("\r\n")))
	if _, err := io.ReadFull(in, text); err != nil {
		return "", err
	}
	if string(text[size:]) != "\r\n" {
		return "", fmt.Errorf("%w: a string that is longer than it says", errOddReply)
	}
	return string(text[:size]), nil
}

func (in *replyReader) array(size int64, depth int) ([]reply, error) {
	if size < 0 || depth == 0 {
		return nil, fmt.Errorf("%w: an array of %d, %d deep", errOddReply, size, replyDepth-depth)
	}
	var parts []reply // grows with what really comes
	for range size {
		v, err := in.part(depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, v)
	}
	return parts, nil
}

// writeCommand writes a command. Errors show when the writer is flushed.
func writeCommand(w *bufio.Writer, args ...string) {
	writeHeader(w, '*', len(args))
	for _, arg := range args {
		writeHeader(w, '$', len(arg))
		_, _ = w.WriteString(arg)
		_, _ = w.WriteString("\r\n")
	}
}

func writePublish(w *bufio.Writer, channel string, payload []byte) {
	_, _ = w.WriteString("*3\r\n$7\r\nPUBLISH\r\n")
	writeHeader(w, '$', len(channel))
	_, _ = w.WriteString(channel)
	_, _ = w.WriteString("\r\n")
	writeHeader(w, '$', len(payload))
	_, _ = w.Write(payload)
	_, _ = w.WriteString("\r\n")
}

func writeHeader(w *bufio.Writer, kind byte, n int) {
	b := strconv.AppendInt(append(w.AvailableBuffer(), kind), int64(n), 10)
	_, _ = w.Write(append(b, "\r\n"...))
}
