// Package rpc calls methods by name over the bus. Any process may serve methods, any may call them without knowing where they
// run, and the answer, or its absence, says which node it was.
//
//	server, err := rpc.NewServer(b, nil)
//	rpc.Handle(server, "math.sum", func(ctx context.Context, in Terms) (int, error) { return in.A + in.B, nil })
//	err = server.Start(ctx)
//
//	client, err := rpc.NewClient(b, nil)
//	sum, err := rpc.Call[int](ctx, client, "math.sum", Terms{A: 1, B: 2})
//
// # What is guaranteed
//
// A call is one request of the bus to one instance, which the caller's side chooses, and it ends once, by its deadline.
//
//  1. A handler runs at most once for a call, unless the method is declared idempotent (Idempotent). A call that certainly did
//     not run (Redis counted nobody, the instance's queue was full, it was draining) goes to another instance, each at most
//     once. One that may have run ends as CodeUnknown, or as CodeTimeout at the deadline.
//  2. An instance that is gone costs one more hop, never the time-out. One that dies while it runs a call ends that call as
//     CodeUnknown with its name within 1 s, or within 3 s if it was cut off or stopped.
//  3. A method that nobody serves is answered at once: CodeUnknownMethod, with the names that are near.
//  4. Deadline and cancelling travel: the handler's context ends when the caller's does, through any number of nested calls.
//  5. What an instance said (RemoteError) and what was found out here (Error) differ by type.
//  6. Every queue is bounded. A method runs Concurrency calls at once and keeps Queue waiting; more are refused as
//     CodeOverloaded at once, and go to another instance.
//  7. A stream's items arrive in order, each once, and as many as were yielded, or the stream ends with an error. A
//     slow reader slows the writer; either end notices within 1 s that the other has died.
//
// # What is not
//
// A call that ends in CodeUnknown, CodeTimeout or CodeCancelled may have run, or may be running still: MayHaveRun tells such errors
// from the others. Calls are not stored: without an instance they fail. Between two calls there is no order, not even
// from one goroutine to one instance, once the method runs more than one at a time. An idempotent call may run twice, also
// at the same time.
//
// # Bodies
//
// A typed call travels as msgpack, with the field names of the json tags (msgpack tags come first), and as JSON
// where msgpack has no form for a value (a time.Time). The reply takes the form of the request, so a caller that speaks JSON, or brings
// no argument, is answered in JSON. An integer that does not fit into its field is refused in either form.
package rpc
