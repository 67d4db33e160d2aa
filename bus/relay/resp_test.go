package relay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestReplies(t *testing.T) {
	for text, want := range map[string]reply{
		"+OK\r\n":           {kind: '+', text: "OK"},
		":-12\r\n":          {kind: ':', number: -12},
		"-NOPERM no\r\n":    {kind: '-', text: "NOPERM no"},
		"$5\r\na\r\nbc\r\n": {kind: '$', number: 5, text: "a\r\nbc"},
		"$-1\r\n":           {kind: '$', number: -1},
		"*-1\r\n":           {kind: '*', number: -1},
		"*2\r\n:1\r\n*1\r\n$0\r\n\r\n": {kind: '*', number: 2, parts: []reply{
			{kind: ':', number: 1}, {kind: '*', number: 1, parts: []reply{{kind: '$'}}},
		}},
	} {
		got, err := newReplyReader(strings.NewReader(text)).next()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"\r\n", "\n", "+\n", ":x\r\n", ":\r\n", "%1\r\n", ">1\r\n", "$-2\r\n", "*-2\r\n", "$1\r\nabc", "$99999999999\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
		"*9223372036854775807\r\n" + strings.Repeat(":1\r\n", 300_000), "+" + strings.Repeat("x", 100_000),
	} {
		if v, err := newReplyReader(strings.NewReader(text)).next(); !errors.Is(err, errOddReply) {
			t.Errorf("%.40q: %.40v, %v", text, v, err)
		}
	}
}

// Whatever a server sends, a reply costs no more memory than it is allowed, and one that was read is one that could be written.
func FuzzReplies(f *testing.F) {
	f.Add([]byte("*2\r\n*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:0\r\n:3\r\n"))
	f.Add([]byte("-EXECABORT Transaction discarded\r\n"))
	f.Add([]byte("*1000000000\r\n$536870912\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		rest := bytes.NewReader(sent)
		in := newReplyReader(rest)
		v, err := in.next()
		if err != nil {
			if !errors.Is(err, errOddReply) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		again, err := newReplyReader(bytes.NewReader(appendReply(nil, &v))).next()
		if err != nil || !reflect.DeepEqual(again, v) {
			t.Errorf("%+v came back as %+v, %v", v, again, err)
		}
	})
}

func appendReply(b []byte, v *reply) []byte {
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	switch v.kind {
	case '+', '-':
		_, _ = w.WriteString(string(v.kind) + v.text + "\r\n")
	default:
		writeHeader(w, v.kind, int(v.number))
	}
	if v.kind == '$' && v.number >= 0 {
		_, _ = w.WriteString(v.text + "\r\n")
	}
	_ = w.Flush() // a buffer takes everything
	b = append(b, out.Bytes()...)
	for i := range v.parts {
		b = appendReply(b, &v.parts[i])
	}
	return b
}

// A guarded packet is said to be refused only where nothing was published.
func TestGuardedReplies(t *testing.T) {
	for text, want := range map[string]Result{
		"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n*4\r\n$1\r\na\r\n:3\r\n$1\r\nb\r\n:2\r\n:7\r\n": {Count: 7, Beacon: 2},
		"-NOPERM multi\r\n*2\r\n$1\r\na\r\n:3\r\n:7\r\n-ERR EXEC without MULTI\r\n":         {Count: 7},
		"+OK\r\n-NOPERM count\r\n+QUEUED\r\n-EXECABORT\r\n":                                 {Err: ErrRefused},
		"+OK\r\n+QUEUED\r\n-LOADING\r\n-EXECABORT\r\n":                                      {Err: ErrNotSent},
		"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n*0\r\n-OOM\r\n":                                 {Err: ErrRefused},
	} {
		got, err := readGuarded(newReplyReader(strings.NewReader(text)))
		if err != nil || got.Count != want.Count || got.Beacon != want.Beacon || !errors.Is(got.Err, want.Err) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	if _, err := readGuarded(newReplyReader(strings.NewReader("+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n"))); !errors.Is(err, errOddReply) {
		t.Errorf("EXEC without an answer: %v", err)
	}
}

// Numbers cost nothing.
func TestNumbersAllocateNothing(t *testing.T) {
	source := strings.NewReader("")
	in := newReplyReader(source)
	if n := testing.AllocsPerRun(100, func() {
		source.Reset(":12\r\n")
		if v, err := in.next(); err != nil || v.number != 12 {
			t.Fatal(v, err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
