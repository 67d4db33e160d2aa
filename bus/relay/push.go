package relay

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// A push is what Redis sends on a lane without being asked at that moment: a message, or the confirmation of one channel.
type push struct {
	kind    string // message, pmessage, or the command that is confirmed
	pattern string // of a pmessage
	channel string // of a confirmation, also the pattern
	payload []byte // of a message; good until the next read
}

// isMessage reports whether the push carries a payload.
func (p *push) isMessage() bool { return p.kind == "message" || p.kind == "pmessage" }

// A pushReader reads what comes on a lane. It allocates neither payloads nor names that come again.
type pushReader struct {
	*replyReader
	last    push // its names and its memory are used again
	payload []byte
}

const (
	pushNames   = 16 << 10  // bytes of a channel's name
	pushPayload = 512 << 20 // the most that Redis takes for one string, by default
	payloadStep = 1 << 20
	keptPayload = 2 * MaxPayload // bytes of memory for payloads that is kept
)

// next reads one push. A refusal is an error reply, after which more can be read; after any other error nothing can.
func (in *pushReader) next() (push, error) {
	in.budget = replyBudget
	parts, err := in.header('*', replyDepth)
	if err != nil {
		return push{}, err
	}
	if in.last.kind, err = in.name(in.last.kind); err != nil {
		return push{}, err
	}
	p := push{kind: in.last.kind}
	switch {
	case p.kind == "message" && parts == 3:
	case p.kind == "pmessage" && parts == 4:
		if in.last.pattern, err = in.name(in.last.pattern); err != nil {
			return push{}, err
		}
		p.pattern = in.last.pattern
	case isConfirmation(p.kind) && parts == 3:
		if p.channel, err = in.name(""); err == nil {
			_, err = in.header(':', 1<<62)
		}
		return p, err
	default:
		return push{}, fmt.Errorf("%w: %q of %d parts on a lane", errOddReply, p.kind, parts)
	}
	if in.last.channel, err = in.name(in.last.channel); err == nil {
		p.channel = in.last.channel
		p.payload, err = in.content()
	}
	return p, err
}

func isConfirmation(kind string) bool {
	return slices.Contains([]string{"subscribe", "psubscribe", "unsubscribe", "punsubscribe"}, kind)
}

// header reads the line that begins a part of the kind, and its number, 0 to most.
func (in *pushReader) header(kind byte, most int64) (int64, error) {
	line, err := in.line()
	if err != nil {
		return 0, err
	}
	if line[0] == '-' {
		return 0, refusal(line[1:])
	}
	n, err := strconv.ParseInt(string(line[1:]), 10, 64)
	if err != nil || line[0] != kind || n < 0 || n > most {
		return 0, fmt.Errorf("%w: %.20q in place of a %c", errOddReply, line, kind)
	}
	return n, nil
}

// name reads a short text. If it is as before, nothing is allocated.
func (in *pushReader) name(before string) (string, error) {
	n, err := in.header('$', pushNames)
	if err != nil {
		return "", err
	}
	text, err := in.Peek(int(n) + 2)
	if err != nil {
		return "", err
	}
	if string(text[n:]) != "\r\n" {
		return "", fmt.Errorf("%w: a string that is longer than it says", errOddReply)
	}
	if string(text[:n]) != before {
		before = string(text[:n])
	}
	_, err = in.Discard(len(text))
	return before, err
}

// content reads a payload, which is good until the next one.
func (in *pushReader) content() ([]byte, error) {
	n, err := in.header('$', pushPayload)
	if err != nil {
		return nil, err
	}
	if cap(in.payload) > keptPayload {
		in.payload = nil
	}
	in.payload = in.payload[:0]
	for want := int(n) + 2; len(in.payload) < want; { // memory grows with what really comes
		have := len(in.payload)
		in.payload = slices.Grow(in.payload, min(want-have, payloadStep))
		in.payload = in.payload[:min(want, have+payloadStep)]
		if _, err := io.ReadFull(in, in.payload[have:]); err != nil {
			return nil, err
		}
	}
	if string(in.payload[n:]) != "\r\n" {
		return nil, fmt.Errorf("%w: a payload that is longer than it says", errOddReply)
	}
	return in.payload[:n:n], nil
}
