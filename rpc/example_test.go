package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/rpc"
)

type terms struct {
	A int `json:"a"`
	B int `json:"b"`
}

// node attaches to a relay in memory, for tests and for programs of one process; bus.Open attaches to Redis instead.
func node(hub *relay.Hub, name string) *bus.Bus {
	b, err := bus.New(context.Background(), hub.Relay(), &bus.Options{Name: name, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	return b
}

// serve starts a server with the methods that setUp registers.
func serve(ctx context.Context, b *bus.Bus, setUp func(s *rpc.Server)) *rpc.Server {
	server, err := rpc.NewServer(b, nil)
	if err != nil {
		panic(err)
	}
	setUp(server)
	if err := server.Start(ctx); err != nil {
		panic(err)
	}
	return server
}

// connect makes a client at a node of its own.
func connect(hub *relay.Hub) (client *rpc.Client, end func()) {
	b := node(hub, "caller")
	client, err := rpc.NewClient(b, nil)
	if err != nil {
		panic(err)
	}
	return client, func() { _, _ = client.Close(), b.Close() }
}

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	hub := relay.NewHub(nil)
	adder := node(hub, "adder")
	defer adder.Close()
	server, err := rpc.NewServer(adder, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	rpc.Handle(server, "math.sum", func(_ context.Context, in terms) (int, error) { return in.A + in.B, nil })
	if err := server.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}

	caller := node(hub, "caller")
	defer caller.Close()
	client, err := rpc.NewClient(caller, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	sum, err := rpc.Call[int](ctx, client, "math.sum", terms{A: 1, B: 2})
	fmt.Println(sum, err)
	// Output: 3 <nil>
}

// The receipt tells which node answered, and how long it took.
func ExampleTrace() {
	ctx := context.Background()
	hub := relay.NewHub(nil)
	b := node(hub, "adder")
	defer b.Close()
	defer serve(ctx, b, func(s *rpc.Server) {
		rpc.Handle(s, "math.sum", func(_ context.Context, in terms) (int, error) { return in.A + in.B, nil })
	}).Close()
	client, end := connect(hub)
	defer end()
	var receipt *bus.Receipt
	sum, err := rpc.Call[int](ctx, client, "math.sum", terms{A: 1, B: 2}, rpc.Trace(&receipt))
	fmt.Println(sum, err, receipt.Deliveries[0].Node, receipt.Elapsed > 0)
	// Output: 3 <nil> adder true
}

// An error keeps its code, its details and its causes on the way, and says which node it came from.
func ExampleError() {
	ctx := context.Background()
	hub := relay.NewHub(nil)
	b := node(hub, "printer")
	defer b.Close()
	defer serve(ctx, b, func(s *rpc.Server) {
		rpc.Handle(s, "print", func(context.Context, string) (int, error) {
			return 0, &rpc.Error{Code: "no_paper", Message: "tray 2 is empty", Details: map[string]int{"sheets": 40},
				Cause: errors.New("sensor 7")}
		})
	}).Close()
	client, end := connect(hub)
	defer end()
	_, err := rpc.Call[int](ctx, client, "print", "hello")
	fmt.Println(err)
	if remote, ok := errors.AsType[*rpc.RemoteError](err); ok {
		details, _ := remote.Details.AsJSON()
		fmt.Println(remote.Node, remote.Code, string(details), remote.Causes, rpc.MayHaveRun(err))
	}
	// Output:
	// node printer: rpc: no_paper: tray 2 is empty
	// printer no_paper {"sheets":40} [sensor 7] true
}

// A method that nobody serves is answered at once.
func ExampleCodeOf() {
	ctx := context.Background()
	hub := relay.NewHub(nil)
	b := node(hub, "adder")
	defer b.Close()
	defer serve(ctx, b, func(s *rpc.Server) {
		rpc.Handle(s, "math.sum", func(_ context.Context, in terms) (int, error) { return in.A + in.B, nil })
	}).Close()
	client, end := connect(hub)
	defer end()
	_, err := rpc.Call[int](ctx, client, "math.some", terms{})
	fmt.Println(rpc.CodeOf(err), rpc.CodeOf(err).HTTPStatus(), rpc.IsRemote(err))
	fmt.Println(err)
	// Output:
	// unknown_method 404 false
	// rpc: unknown_method: nobody serves math.some; near are math.sum
}

// Every instance is asked, and each answers for itself.
func ExampleCallEach() {
	ctx := context.Background()
	hub := relay.NewHub(nil)
	for i, name := range []string{"north", "south"} {
		b := node(hub, name)
		defer b.Close()
		defer serve(ctx, b, func(s *rpc.Server) {
			rpc.Handle(s, "temperature", func(context.Context, struct{}) (int, error) {
				if i == 1 {
					return 0, rpc.Errorf(rpc.CodeUnavailable, "the sensor is broken")
				}
				return 21, nil
			})
		}).Close()
	}
	client, end := connect(hub)
	defer end()
	var lines []string
	for reply, err := range rpc.CallEach[int](ctx, client, "temperature", struct{}{}) {
		if err != nil {
			lines = append(lines, fmt.Sprint(reply.Node, ": ", rpc.CodeOf(err)))
			continue
		}
		lines = append(lines, fmt.Sprint(reply.Node, ": ", reply.Value))
	}
	slices.Sort(lines) // they come as they are made
	fmt.Println(lines)
	// Output: [north: 21 south: unavailable]
}

// A method may answer with a stream. The reader stops when it has enough, and the method is stopped with it.
func ExampleCallStream() {
	ctx := context.Background()
	hub := relay.NewHub(nil)
	b := node(hub, "counter")
	defer b.Close()
	defer serve(ctx, b, func(s *rpc.Server) {
		rpc.HandleStream(s, "count", func(_ context.Context, from int) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for i := from; yield(i, nil); i++ {
				}
			}
		})
	}).Close()
	client, end := connect(hub)
	defer end()
	for i, err := range rpc.CallStream[int](ctx, client, "count", 40) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(i)
		if i == 42 {
			break
		}
	}
	// Output:
	// 40
	// 41
	// 42
}

// A method without Go types: the body as it came, and an answer in any format.
func ExampleServer_HandleFunc() {
	ctx := context.Background()
	hub := relay.NewHub(nil)
	b := node(hub, "echo")
	defer b.Close()
	defer serve(ctx, b, func(s *rpc.Server) {
		s.HandleFunc("echo", func(_ context.Context, r *rpc.Request) (bus.Body, error) { return r.Body, nil },
			rpc.Description("answers with what it was asked"))
	}).Close()
	client, end := connect(hub)
	defer end()
	reply, err := client.Call(ctx, "echo", bus.JSON("hello"))
	fmt.Println(string(reply.Raw()), err)
	methods, err := client.Methods(ctx)
	fmt.Println(methods[0].Name, "at", methods[0].Instances[0].Node, methods[0].Instances[0].Stats.Calls, err)
	// Output:
	// "hello" <nil>
	// echo at echo 1 <nil>
}

// Interceptors wrap calls on either side. Headers travel with the call.
func ExampleAuthorize() {
	ctx := context.Background()
	hub := relay.NewHub(nil)
	b := node(hub, "vault")
	defer b.Close()
	server, err := rpc.NewServer(b, &rpc.ServerOptions{Interceptors: []rpc.Interceptor{
		rpc.Authorize(func(_ context.Context, r *rpc.Request) error {
			if r.Headers["user"] != "42" {
				return rpc.Errorf(rpc.CodeForbidden, "%s is for user 42", r.Method)
			}
			return nil
		}),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	rpc.Handle(server, "open", func(ctx context.Context, _ struct{}) (string, error) {
		return "come in, " + rpc.RequestFrom(ctx).Headers["user"], nil
	})
	if err := server.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	client, end := connect(hub)
	defer end()
	for _, user := range []string{"7", "42"} {
		answer, err := rpc.Call[string](ctx, client, "open", struct{}{}, rpc.WithHeader("user", user))
		fmt.Printf("%q %v\n", answer, rpc.CodeOf(err))
	}
	// Output:
	// "" forbidden
	// "come in, 42"
}

// A caller's interceptor may set the headers of its calls.
func ExampleInterceptor() {
	ctx := context.Background()
	hub := relay.NewHub(nil)
	b := node(hub, "s")
	defer b.Close()
	defer serve(ctx, b, func(s *rpc.Server) {
		rpc.Handle(s, "whose", func(ctx context.Context, _ struct{}) (string, error) {
			return rpc.RequestFrom(ctx).Headers["user"], nil
		})
	}).Close()
	caller := node(hub, "caller")
	defer caller.Close()
	signs := func(next rpc.Invoker) rpc.Invoker {
		return func(ctx context.Context, r *rpc.Request) (bus.Body, error) {
			r.Headers = map[string]string{"user": "42"}
			return next(ctx, r)
		}
	}
	client, err := rpc.NewClient(caller, &rpc.ClientOptions{Interceptors: []rpc.Interceptor{signs}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(rpc.Call[string](ctx, client, "whose", struct{}{}))
	// Output: 42 <nil>
}

// Calls with the same key go to the same instance.
func ExampleAffinity() {
	ctx := context.Background()
	hub := relay.NewHub(nil)
	for _, name := range []string{"a", "b", "c"} {
		b := node(hub, name)
		defer b.Close()
		defer serve(ctx, b, func(s *rpc.Server) {
			rpc.Handle(s, "who", func(context.Context, struct{}) (string, error) { return name, nil })
		}).Close()
	}
	client, end := connect(hub)
	defer end()
	first, err := rpc.Call[string](ctx, client, "who", struct{}{}, rpc.Affinity("room 7"))
	same := true
	for range 20 {
		who, e := rpc.Call[string](ctx, client, "who", struct{}{}, rpc.Affinity("room 7"))
		same = same && who == first && e == nil
	}
	fmt.Println(same, err)
	// Output: true <nil>
}
