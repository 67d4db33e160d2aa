package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ackbus/ackbus/bus"
)

type shortage struct {
	Sheets int `json:"sheets"`
}

// What a handler says of a failure is what its caller reads, in either format.
func TestErrorsTravel(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		_, b := c.server("printer", func(s *Server) {
			Handle(s, "print", func(context.Context, int) (int, error) {
				return 0, &Error{Code: "no_paper", Message: "tray 2 is empty", Details: shortage{40},
					Cause: fmt.Errorf("feed: %w", errTest)}
			})
		})
		settle()
		for _, argument := range []bus.Body{bus.JSON(1), bus.Msgpack(1)} {
			_, err := client.Call(t.Context(), "print", argument)
			remote, ok := errors.AsType[*RemoteError](err)
			if !ok || !IsRemote(err) {
				t.Fatalf("%v is not remote", err)
			}
			if remote.Code != "no_paper" || remote.Message != "tray 2 is empty" || remote.Node != "printer" ||
				remote.NodeID != b.Node().ID {
				t.Errorf("%+v", remote)
			}
			var details shortage
			if err := decode(remote.Details, &details); err != nil || details.Sheets != 40 || remote.Details.Format() != argument.Format() {
				t.Errorf("details %+v in format %v, %v", details, remote.Details.Format(), err)
			}
			if !slices.Equal(remote.Causes, []string{"feed: out of paper", "out of paper"}) {
				t.Errorf("causes %q", remote.Causes)
			}
			if want := "node printer: rpc: no_paper: tray 2 is empty"; err.Error() != want {
				t.Errorf("%q, want %q", err, want)
			}
			refusal, ok := errors.AsType[*bus.Rejection](err)
			if !ok || refusal.Code != "no_paper" || refusal.Message != "tray 2 is empty" {
				t.Errorf("as a rejection: %+v", refusal)
			}
			wantCode(t, err, "no_paper", true)
		}
	})
}

// Each way to fail has its code.
func TestCodesOfHandlersErrors(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		var fail error
		c.server("s", func(s *Server) {
			Handle(s, "fail", func(context.Context, struct{}) (int, error) { return 0, fail })
			Handle(s, "unencodable", func(context.Context, struct{}) (any, error) { return func() {}, nil })
		})
		settle()
		for _, c := range []struct {
			err     error
			code    Code
			message string
		}{
			{errTest, CodeInternal, "out of paper"},
			{&Error{Message: "no code"}, CodeInternal, "no code"},
			{&Error{Code: CodeNotFound}, CodeNotFound, "not_found"},
			{fmt.Errorf("outer: %w", Errorf(CodeForbidden, "not %s", "you")), CodeForbidden, "not you"},
			{bus.Reject("shut", "we are shut"), "shut", "we are shut"},
			{bus.Reject("", ""), CodeRejected, "rejected"},
			{context.DeadlineExceeded, CodeTimeout, "context deadline exceeded"},
			{&Error{Code: "odd", Message: "details that can't be sent", Details: func() {}}, "odd", "details that can't be sent"},
			{&RemoteError{Code: CodeNotFound, Message: "no such user", Node: "far"}, CodeNotFound, "no such user"},
		} {
			fail = c.err
			_, err := Call[int](t.Context(), client, "fail", struct{}{})
			code, message, _ := Explain(err)
			if code != c.code || message != c.message {
				t.Errorf("%v: %q, %q; want %q, %q", c.err, code, message, c.code, c.message)
			}
		}
		remote, _ := errors.AsType[*RemoteError](lastCall(t, client))
		if !slices.Equal(remote.Causes, []string{"node far: rpc: not_found: no such user"}) {
			t.Errorf("the causes of an error that came from further away: %q", remote.Causes)
		}
		_, err := Call[int](t.Context(), client, "unencodable", struct{}{})
		wantCode(t, err, CodeInternal, true)
	})
}

func lastCall(t *testing.T, client *Client) error {
	t.Helper()
	_, err := Call[int](t.Context(), client, "fail", struct{}{})
	return err
}

// An argument that does not fit is refused, and the field named.
func TestBadArguments(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		c.server("adder", adds)
		settle()
		for _, argument := range []bus.Body{bus.JSON(map[string]any{"a": "one"}), bus.Msgpack(map[string]any{"a": "one"})} {
			_, err := client.Call(t.Context(), "math.sum", argument)
			code, message, details := Explain(err)
			var wrong struct {
				Field string `json:"field"`
			}
			e := decode(details, &wrong)
			if e != nil || code != CodeBadRequest || wrong.Field != "a" || !strings.Contains(message, `field "a"`) {
				t.Errorf("%q, %q, %+v, %v", code, message, wrong, e)
			}
		}
		for _, argument := range []bus.Body{bus.JSON([]int{1}), bus.Msgpack("text"), bus.Bytes([]byte{0xdd, 0xff, 0xff, 0xff, 0xff})} {
			_, err := client.Call(t.Context(), "math.sum", argument)
			wantCode(t, err, CodeBadRequest, true)
		}
		if sum, err := Call[int](t.Context(), client, "math.sum", bus.Body{}); sum != 0 || err != nil {
			t.Errorf("no argument at all: %d, %v", sum, err)
		}
		_, err := Call[chan int](t.Context(), client, "math.sum", terms{})
		if CodeOf(err) != CodeInternal || IsRemote(err) || !strings.Contains(err.Error(), "does not fit") {
			t.Errorf("a result that does not fit: %v", err)
		}
	})
}

// A panic is an internal error to the caller, and its stack stays in the server's log.
func TestPanic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		var log strings.Builder
		var mu sync.Mutex
		b := c.node("s")
		s, err := NewServer(b, &ServerOptions{Logger: slog.New(slog.NewTextHandler(locked{&mu, &log}, nil))})
		if err != nil {
			t.Fatal(err)
		}
		Handle(s, "panics", func(context.Context, struct{}) (int, error) { panic("the secret plan") })
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		settle()
		_, err = Call[int](t.Context(), client, "panics", struct{}{})
		wantCode(t, err, CodeInternal, true)
		remote, _ := errors.AsType[*RemoteError](err)
		if strings.Contains(fmt.Sprintf("%+v", remote), "secret") {
			t.Errorf("the caller reads %+v", remote)
		}
		mu.Lock()
		defer mu.Unlock()
		if text := log.String(); !strings.Contains(text, "the secret plan") || !strings.Contains(text, "TestPanic") {
			t.Errorf("log: %s", text)
		}
		if stats, _ := s.Stats("panics"); stats.Errors != 1 || stats.InFlight != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

// locked makes a writer safe for many goroutines.
type locked struct {
	mu *sync.Mutex
	to io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

func TestErrorTexts(t *testing.T) {
	err := Errorf(CodeNotFound, "user %d: %w", 42, errTest)
	if err.Error() != "rpc: not_found: user 42: out of paper" || !errors.Is(err, errTest) {
		t.Errorf("%v", err)
	}
	if text := (&Error{}).Error(); text != "rpc: internal" {
		t.Errorf("%q", text)
	}
	for err, code := range map[error]Code{nil: "", errTest: CodeInternal, context.Canceled: CodeCancelled, bus.ErrGivenUp: CodeCancelled} {
		if got := CodeOf(err); got != code {
			t.Errorf("%v: %q, want %q", err, got, code)
		}
	}
	if MayHaveRun(nil) || !MayHaveRun(errTest) || IsRemote(nil) {
		t.Error("of no error, or of a stranger")
	}
}

// What is joined may have run if one of the errors says so, and did not if those that know it say so.
func TestMayHaveRunOfATree(t *testing.T) {
	not, may := &Error{Code: CodeUnavailable, notRun: true}, &RemoteError{Code: CodeInternal}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {errTest, true}, {not, false}, {may, true},
		{fmt.Errorf("wrapped: %w", not), false},
		{errors.Join(not, may), true},
		{errors.Join(not, errTest), false},
		{fmt.Errorf("%w, then %w", not, fmt.Errorf("again: %w", may)), true},
		{&Error{Code: CodeUnavailable, Cause: may, notRun: true}, false}, // it has judged its cause
	} {
		if got := MayHaveRun(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestHTTPStatus(t *testing.T) {
	for code, status := range map[Code]int{"": 200, CodeUnknownMethod: 404, CodeTimeout: 504, CodeOverloaded: 503, CodeInternal: 500,
		CodeBadRequest: 400, CodeCancelled: 499, "no_paper": http.StatusUnprocessableEntity} {
		if got := code.HTTPStatus(); got != status {
			t.Errorf("%q: %d, want %d", code, got, status)
		}
	}
}

// A refusal is read as it was written, cut to its bounds.
func TestRefusalBounds(t *testing.T) {
	long := errors.New(strings.Repeat("x", 5000))
	for range 40 {
		long = fmt.Errorf("%w", long)
	}
	for _, f := range []bus.Format{bus.FormatJSON, bus.FormatMsgpack} {
		body, _ := refusal(long, f)
		details, causes := decodeRefusal(body)
		if len(causes) != maxCauses || len(causes[0]) != maxCause || !details.IsZero() || body.IsZero() {
			t.Errorf("%d causes, %v", len(causes), details)
		}
	}
	if details, _ := decodeRefusal(bus.Bytes([]byte("what is this"))); string(details.Raw()) != "what is this" {
		t.Errorf("of a foreign body: %s", details.Raw())
	}
}
