//go:build unix

package program

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// asJSON is what a body looks like to an HTTP client, or nothing.
func asJSON(t *testing.T, body bus.Body) string {
	t.Helper()
	if body.IsZero() {
		return ""
	}
	text, err := body.AsJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		command string
		body    bus.Body
		want    string
	}{
		"json":                {`cat`, bus.JSON(map[string]int{"a": 1}), `{"a":1}`},
		"msgpack as json":     {`cat`, bus.Msgpack(map[string]int{"a": 1}), `{"a":1}`},
		"raw as it is":        {`cat`, bus.Bytes([]byte("a\xff")), `{"base64":"Yf8="}`},
		"no body":             {`wc -c | tr -d ' '`, bus.Body{}, `0`},
		"text":                {`printf 'two\nlines\n\n'`, bus.Body{}, `"two\nlines\n"`},
		"nothing":             {`true`, bus.Body{}, `""`},
		"pretty json":         {`printf '{\n  "a": [1,\n 2]\n}\n'`, bus.Body{}, `{"a":[1,2]}`},
		"a large number":      {`echo 12345678901234567890123`, bus.Body{}, `12345678901234567890123`},
		"two values are text": {`printf '1\n2\n'`, bus.Body{}, `"1\n2"`},
		"a variable":          {`printf %s "$ACKBUS_CALL_METHOD"`, bus.Body{}, `"math.sum"`},
		"input nobody reads":  {`exec <&-; echo 1`, bus.Bytes(make([]byte, 1<<20)), `1`},
		"the exact bound":     {`head -c 1000 /dev/zero | tr '\0' x`, bus.Body{}, `"` + strings.Repeat("x", 1000) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			variables := map[string]string{"ACKBUS_CALL_METHOD": "math.sum"}
			got, err := Run(t.Context(), Job{Command: c.command, Body: c.body, Variables: variables, MaxOutput: 1000})
			if err != nil || asJSON(t, got) != c.want {
				t.Errorf("%s, %v; want %s", asJSON(t, got), err, c.want)
			}
		})
	}
}

func TestLargeBodiesGoBothWays(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 60_000)
	got, err := Run(t.Context(), Job{Command: "cat", Body: bus.JSON(text)})
	if err != nil || asJSON(t, got) != `"`+text+`"` {
		t.Errorf("%d bytes, %v", len(got.Raw()), err)
	}
}

func TestExitStatus(t *testing.T) {
	for command, want := range map[string]struct {
		text   string
		status int
		output string
	}{
		"exit 3":                               {"exit status 3", 3, ""},
		`echo '{"left":0}'; exit 1`:            {"exit status 1", 1, `{"left":0}`},
		"kill -9 $$":                           {"killed", -1, ""},
		"no-such-program-anywhere 2>/dev/null": {"exit status 127", 127, ""},
	} {
		got, err := Run(t.Context(), Job{Command: command})
		exit, ok := errors.AsType[*ExitError](err)
		if !ok || exit.Status != want.status || !strings.Contains(err.Error(), want.text) || asJSON(t, got) != want.output {
			t.Errorf("%s: %s, %v", command, asJSON(t, got), err)
		}
	}
}

func TestTooMuchOutput(t *testing.T) {
	leak.Check(t)
	for command, most := range map[string]int{
		"head -c 1001 /dev/zero":                 1000,
		"yes":                                    0, // it would never end
		`trap '' TERM; yes; while :; do :; done`: 1,
	} {
		got, err := Run(t.Context(), Job{Command: command, MaxOutput: most})
		if !errors.Is(err, ErrOutput) || !strings.Contains(err.Error(), "more than") || !got.IsZero() {
			t.Errorf("%s: %d bytes, %v", command, len(got.Raw()), err)
		}
	}
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	if _, err := Run(t.Context(), Job{Command: "echo '" + deep + "'"}); !errors.Is(err, ErrOutput) {
		t.Errorf("JSON that nests too deep: %v", err)
	}
}

func TestStandardErrorIsLogged(t *testing.T) {
	var log bytes.Buffer
	handler := slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	long := strings.Repeat("x", maxLine+5)
	command := `echo one >&2; echo >&2; printf 'two\r\nthree' >&2; printf '\n` + long + `' >&2; echo result`
	got, err := Run(t.Context(), Job{Command: command, Log: slog.New(handler).With("method", "m")})
	if err != nil || asJSON(t, got) != `"result"` {
		t.Fatalf("%s, %v", asJSON(t, got), err)
	}
	var want strings.Builder
	for _, line := range []string{"one", "two", "three", long[:maxLine], "xxxxx"} {
		want.WriteString(`level=INFO msg="the program says" method=m line=` + line + "\n")
	}
	if log.String() != want.String() {
		t.Errorf("the log is\n%s", log.String())
	}
}

func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("no time")
	cancel(reason)
	if _, err := Run(ctx, Job{Command: "echo 1"}); !errors.Is(err, reason) {
		t.Errorf("%v", err)
	}
}

func TestTimeLimit(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	before := time.Now()
	_, err := Run(ctx, Job{Command: "sleep 30"})
	if took := time.Since(before); !errors.Is(err, context.DeadlineExceeded) || took > patience {
		t.Errorf("%v after %v", err, took)
	}
}

func TestVariableWithNUL(t *testing.T) {
	got, err := Run(t.Context(), Job{Command: `printf %s "$X"`, Variables: map[string]string{"X": "a\x00b"}})
	if err != nil || asJSON(t, got) != `"ab"` {
		t.Errorf("%s, %v", asJSON(t, got), err)
	}
}

func FuzzResult(f *testing.F) {
	for _, seed := range []string{"", "1", "x\n", "{\"a\":\n1}", "\xff", `"\ud800"`, "[[1]]\r\n", "null"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		body, err := Result(out)
		if err != nil {
			if !errors.Is(err, ErrOutput) {
				t.Errorf("%v", err)
			}
			return
		}
		if text, err := body.AsJSON(); err != nil || bytes.ContainsRune(text, '\n') {
			t.Errorf("%q became %s, %v", out, text, err)
		}
	})
}
