package relay

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func pushesOf(text string) *pushReader {
	return &pushReader{replyReader: newReplyReader(strings.NewReader(text))}
}

func TestPushReader(t *testing.T) {
	long := strings.Repeat("p", 3<<20)
	in := pushesOf("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n" +
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\na\r\nbc\r\n" +
		"-NOPERM no\r\n" +
		"*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\ncd\r\n$0\r\n\r\n" +
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3145728\r\n" + long + "\r\n")
	for i, want := range []push{
		{kind: "subscribe", channel: "c"},
		{kind: "message", channel: "c", payload: []byte("a\r\nbc")},
		{},
		{kind: "pmessage", pattern: "c*", channel: "cd"},
		{kind: "message", channel: "c", payload: []byte(long)},
	} {
		p, err := in.next()
		if want.kind == "" {
			if err == nil || !isReply(err) || err.Error() != "NOPERM no" {
				t.Errorf("%d: %v, want Redis's refusal", i, err)
			}
			continue
		}
		same := p.kind == want.kind && p.channel == want.channel && p.pattern == want.pattern && bytes.Equal(p.payload, want.payload)
		if err != nil || !same {
			t.Errorf("%d: %q %q %q %.20q, %v", i, p.kind, p.channel, p.pattern, p.payload, err)
		}
	}
	if _, err := in.next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestPushReaderRefuses(t *testing.T) {
	for _, text := range []string{
		"+OK\r\n", ":1\r\n", "$1\r\na\r\n", "*3\r\n", "*-1\r\n", "*9\r\n", "x\r\n", "\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nabc\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n",
		"*3\r\n$7\r\nmessage\r\n$99999\r\nc\r\n$1\r\na\r\n",
		"*4\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\na\r\n",
		"*3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$1\r\na\r\n",
		"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n$1\r\n1\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$536870912\r\nshort",
	} {
		if p, err := pushesOf(text).next(); err == nil {
			t.Errorf("%q: read as %+v", text, p)
		}
	}
}

// Names that come again and payloads cost no memory.
func TestPushReaderAllocates(t *testing.T) {
	const rounds = 200
	in := pushesOf(strings.Repeat("*3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n$7\r\npayload\r\n", rounds+2))
	read := func() {
		if _, err := in.next(); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if n := testing.AllocsPerRun(rounds, read); n > 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func FuzzPushReader(f *testing.F) {
	f.Add("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
	f.Add("*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\ncd\r\n$0\r\n\r\n-ERR no\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		in := pushesOf(text)
		for range len(text) + 1 {
			p, err := in.next()
			switch {
			case err != nil && isReply(err):
			case err != nil:
				return
			case !p.isMessage() && p.payload != nil || len(p.payload) > len(text) || len(p.channel) > len(text):
				t.Fatalf("%+v out of %q", p, text)
			}
		}
		t.Fatalf("more pushes than bytes in %q", text)
	})
}
