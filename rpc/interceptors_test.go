package rpc

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/ackbus/ackbus/bus"
)

// Interceptors see calls in their order, the first outermost, on either side, whatever kind of call it is.
func TestInterceptorsOfBothSides(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		var seen []string
		notes := func(name string) Interceptor {
			return func(next Invoker) Invoker {
				return func(ctx context.Context, r *Request) (bus.Body, error) {
					seen = append(seen, name+" "+r.Method)
					return next(ctx, r)
				}
			}
		}
		client := c.client(notes("caller 1"), notes("caller 2"))
		c.server("s", func(s *Server) {
			adds(s)
			counts(make(chan error), nil, new(atomic.Int64))(s)
		}, ServerOptions{Interceptors: []Interceptor{notes("server 1"), notes("server 2")}})
		settle()
		for _, kind := range []struct {
			method string
			call   func() error
		}{
			{"math.sum", func() error { _, err := Call[int](t.Context(), client, "math.sum", terms{}); return err }},
			{"math.sum", func() (err error) {
				for _, err = range CallEach[int](t.Context(), client, "math.sum", terms{}) {
				}
				return err
			}},
			{"count", func() (err error) {
				for _, err = range CallStream[int](t.Context(), client, "count", 2) {
				}
				return err
			}},
		} {
			seen = nil
			if err := kind.call(); err != nil {
				t.Error(err)
			}
			m := " " + kind.method
			if got, want := strings.Join(seen, ","), "caller 1"+m+",caller 2"+m+",server 1"+m+",server 2"+m; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	})
}

func TestLogging(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		client := c.client(Logging(logger))
		c.server("s", func(s *Server) {
			adds(s)
			Handle(s, "fails", func(context.Context, struct{}) (int, error) { return 0, errTest })
			Handle(s, "refuses", func(context.Context, struct{}) (int, error) { return 0, Errorf(CodeForbidden, "no") })
		}, ServerOptions{Interceptors: []Interceptor{Logging(logger)}})
		settle()
		_, _ = Call[int](t.Context(), client, "math.sum", terms{7777, 2})
		_, _ = Call[int](t.Context(), client, "fails", struct{}{})
		_, _ = Call[int](t.Context(), client, "refuses", struct{}{})
		text := log.String()
		for _, want := range []string{"level=DEBUG msg=call method=math.sum incoming=true",
			"level=DEBUG msg=call method=math.sum incoming=false", "level=ERROR msg=call method=fails incoming=true", "code=internal",
			"out of paper", "level=WARN msg=call method=refuses", "code=forbidden"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %s", want, text)
			}
		}
		if strings.Contains(text, "7777") {
			t.Error("arguments are logged")
		}
	})
}

func TestMetrics(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		registry := prometheus.NewRegistry()
		metrics := func(side string) Interceptor {
			m, err := Metrics(prometheus.WrapRegistererWith(prometheus.Labels{"side": side}, registry))
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		client := c.client(metrics("caller"))
		c.server("s", func(s *Server) {
			adds(s)
			Handle(s, "own", func(context.Context, struct{}) (int, error) { return 0, Errorf("no_paper", "") })
		}, ServerOptions{Interceptors: []Interceptor{metrics("server"), metrics("server")}})
		settle()
		for range 3 {
			_, _ = Call[int](t.Context(), client, "math.sum", terms{})
		}
		_, _ = Call[int](t.Context(), client, "own", struct{}{})
		_, _ = Call[int](t.Context(), client, "no such \x00 thing", struct{}{})
		_, _ = Call[int](t.Context(), client, "absent", struct{}{})
		err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP ackbus_calls_total Calls by method and code.
# TYPE ackbus_calls_total counter
ackbus_calls_total{code="bad_request",method="unknown",side="caller"} 1
ackbus_calls_total{code="ok",method="math.sum",side="caller"} 3
ackbus_calls_total{code="ok",method="math.sum",side="server"} 6
ackbus_calls_total{code="other",method="own",side="caller"} 1
ackbus_calls_total{code="other",method="own",side="server"} 2
ackbus_calls_total{code="unknown_method",method="unknown",side="caller"} 1
`), "ackbus_calls_total")
		if err != nil {
			t.Error(err)
		}
		taken := prometheus.NewRegistry()
		taken.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "ackbus_calls_total", Help: "something else"}))
		if _, err := Metrics(taken); err == nil {
			t.Error("metrics over something else")
		}
	})
}

// The names of methods that nobody knows come from outside, and make no series: not while nothing is certain, either.
func TestMetricsOfUncertainMethods(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.node("mute").Serve(1, 1) // it does not say what
		registry := prometheus.NewRegistry()
		m, err := Metrics(registry)
		if err != nil {
			t.Fatal(err)
		}
		client := c.client(m)
		settle()
		for _, name := range []string{"x1", "x2", "x3"} {
			_, err := Call[int](within(t, 10*time.Millisecond), client, name, struct{}{})
			wantCode(t, err, CodeTimeout, false)
		}
		_, err = Call[int](within(t, 10*time.Second), client, "x4", struct{}{})
		wantCode(t, err, CodeUnavailable, false)
		if n, err := testutil.GatherAndCount(registry, "ackbus_calls_total"); n != 2 || err != nil {
			t.Errorf("%d series, %v", n, err)
		}
	})
}

// spans records the spans that were begun: a tracer of the tests' own, since the product knows the API alone.
type spans struct {
	embedded.TracerProvider

	begun []string
}

func (s *spans) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{all: s} }

type tracer struct {
	embedded.Tracer

	all *spans
}

func (r tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	parent := trace.SpanContextFromContext(ctx)
	config := trace.NewSpanStartConfig(opts...)
	id := trace.SpanID{byte(len(r.all.begun) + 1)}
	traceID := parent.TraceID()
	if !traceID.IsValid() {
		traceID = trace.TraceID{0xab, byte(len(r.all.begun) + 1)}
	}
	r.all.begun = append(r.all.begun, config.SpanKind().String()+" "+name+" "+traceID.String()[:4]+" under "+parent.SpanID().String()[:2])
	made := trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: id, TraceFlags: trace.FlagsSampled})
	ctx = trace.ContextWithSpanContext(ctx, made)
	return ctx, trace.SpanFromContext(ctx)
}

// The trace of the caller goes on at the server, and from there to the next.
func TestTracing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		var all spans
		client := c.client(Tracing(&all))
		inner := c.client(Tracing(&all))
		c.server("s", func(s *Server) {
			adds(s)
			Handle(s, "outer", func(ctx context.Context, in terms) (int, error) { return Call[int](ctx, inner, "math.sum", in) })
		}, ServerOptions{Interceptors: []Interceptor{Tracing(&all)}})
		settle()
		if sum, err := Call[int](t.Context(), client, "outer", terms{1, 2}, WithHeader("k", "v")); sum != 3 || err != nil {
			t.Fatalf("%d, %v", sum, err)
		}
		want := []string{"client outer ab01 under 00", "server outer ab01 under 01", "client math.sum ab01 under 02",
			"server math.sum ab01 under 03"}
		if strings.Join(all.begun, ";") != strings.Join(want, ";") {
			t.Errorf("%q", all.begun)
		}
	})
}

func TestAuthorize(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client()
		c.server("s", adds, ServerOptions{Interceptors: []Interceptor{Authorize(func(_ context.Context, r *Request) error {
			switch r.Headers["user"] {
			case "":
				return Errorf(CodeUnauthorized, "who are you")
			case "42":
				return nil
			}
			return errTest
		})}})
		settle()
		for user, code := range map[string]Code{"": CodeUnauthorized, "42": "", "43": CodeForbidden} {
			_, err := Call[int](t.Context(), client, "math.sum", terms{}, WithHeader("user", user))
			if CodeOf(err) != code {
				t.Errorf("%q: %v, want %q", user, err, code)
			}
		}
		mine := c.client(Authorize(func(context.Context, *Request) error { return errTest }))
		_, err := Call[int](t.Context(), mine, "math.sum", terms{})
		wantCode(t, err, CodeForbidden, false)
		for _, err := range CallEach[int](t.Context(), mine, "math.sum", terms{}) {
			wantCode(t, err, CodeForbidden, false)
		}
	})
}

func TestLimit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client(Limit(3))
		ended := make(chan error, 10)
		c.server("s", waits(ended))
		settle()
		var refused, waited atomic.Int64
		many(t, 10, func(int) {
			_, err := Call[int](within(t, time.Second), client, "wait", struct{}{})
			switch CodeOf(err) {
			case CodeOverloaded:
				refused.Add(1)
			case CodeTimeout:
				waited.Add(1)
			default:
				t.Error(err)
			}
		})
		if refused.Load() != 7 || waited.Load() != 3 {
			t.Errorf("%d refused, %d waited", refused.Load(), waited.Load())
		}
	})
}

// What failed for the moment is made again after pauses that grow, and what may have run only if that does no harm.
func TestRetry(t *testing.T) {
	for _, c := range []struct {
		name       string
		err        error
		idempotent bool
		want       int
	}{
		{"unavailable", &Error{Code: CodeUnavailable, notRun: true}, false, 4},
		{"overloaded before it ran", &RemoteError{Code: CodeOverloaded, notRun: true}, false, 4},
		{"overloaded by the handler", &RemoteError{Code: CodeOverloaded}, false, 1},
		{"the same, idempotent", &RemoteError{Code: CodeOverloaded}, true, 4},
		{"unknown", &Error{Code: CodeUnknown}, false, 1},
		{"unknown, idempotent", &Error{Code: CodeUnknown}, true, 4},
		{"not found", &RemoteError{Code: CodeNotFound}, true, 1},
	} {
		inBubble(t, func(t *testing.T) {
			runs := 0
			invoke := Retry(3, 100*time.Millisecond)(func(context.Context, *Request) (bus.Body, error) {
				runs++
				return bus.Body{}, c.err
			})
			start := time.Now()
			_, err := invoke(t.Context(), &Request{Idempotent: c.idempotent})
			if runs != c.want || err != c.err { //nolint:errorlint // the very same
				t.Errorf("%s: %d runs, %v", c.name, runs, err)
			}
			if c.want == 4 {
				took(t, start, 350*time.Millisecond, 700*time.Millisecond)
			}
			runs = 0
			if _, err := invoke(within(t, 150*time.Millisecond), &Request{Idempotent: c.idempotent}); err == nil || runs > 2 {
				t.Errorf("%s: %d runs within 150 ms", c.name, runs)
			}
			runs = 0
			if _, err := invoke(t.Context(), &Request{Idempotent: c.idempotent, Stream: true}); err == nil || runs != 1 {
				t.Errorf("%s: %d runs of a stream", c.name, runs)
			}
		})
	}
}

// An interceptor sees what the method declares.
func TestRetryOfDeclaredMethod(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newCluster(t)
		client := c.client(Retry(5, 10*time.Millisecond)) // which knows nothing before the first call
		var runs atomic.Int64
		c.server("s", func(s *Server) {
			Handle(s, "m", func(context.Context, struct{}) (int64, error) {
				if n := runs.Add(1); n < 3 {
					return 0, Errorf(CodeUnavailable, "not yet")
				}
				return runs.Load(), nil
			}, Idempotent())
		})
		settle()
		if n, err := Call[int64](t.Context(), client, "m", struct{}{}); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}
