package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
	"github.com/ackbus/ackbus/rpc"
)

// A caller is the command call.
type caller struct {
	log      *logFlags
	bus      busFlags
	timeout  time.Duration
	affinity string
	node     string
	each     bool
	stream   bool
	json     bool
}

func newCall(log *logFlags) *cobra.Command {
	c := &caller{log: log}
	cmd := &cobra.Command{
		Use:   "call METHOD [DATA]",
		Short: "Call a method and print its result",
		Long: `Call a method and print its result.

DATA is JSON, @FILE for the content of a file, or - for standard input. Without it the method gets no argument. One instance of the method
answers: any, unless --affinity or --node say which; with --each all of them answer.`,
		Example: `  ackbus call math.sum '{"a":1,"b":2}'
  ackbus call cache.clear --each --json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: running(c.run),
	}
	c.add(cmd.Flags())
	cmd.MarkFlagsMutuallyExclusive("each", "stream")
	cmd.MarkFlagsMutuallyExclusive("each", "affinity", "node")
	return cmd
}

func (c *caller) add(flags *pflag.FlagSet) {
	c.bus.addObserver(flags)
	parsed(flags, &c.timeout, "timeout", "duration", "5s", "how long to wait, 10m at most; a stream by default 10m",
		between(time.Millisecond, maxTimeout))
	flags.StringVar(&c.affinity, "affinity", "", "call the instance that belongs to this key")
	flags.StringVar(&c.node, "node", "", "call the instance at this node, given by name or ID")
	flags.BoolVar(&c.each, "each", false, "call every instance, and print what each answers")
	flags.BoolVar(&c.stream, "stream", false, "call a method that answers with a stream, and print each item as it comes")
	flags.BoolVar(&c.json, "json", false, "print JSON: the result or the error, the node and the time")
}

// checkMethod refuses names that no method has, before Redis is asked.
func checkMethod(name string) error {
	if name == "" || len(name) > bus.MaxMethod || !isMethod(name) {
		return usageError("bad method %q: want a name of 1 to %d bytes without @ and control characters, which does not begin with ackbus.",
			clip(name), bus.MaxMethod)
	}
	return nil
}

func (c *caller) run(cmd *cobra.Command, args []string) error {
	if err := checkMethod(args[0]); err != nil {
		return err
	}
	var data bus.Body
	if len(args) > 1 {
		var err error
		if data, err = readData(args[1], cmd.InOrStdin()); err != nil {
			return err
		}
	}
	ctx, stop := signalled(cmd.Context())
	defer stop()
	client, done, err := c.bus.callsAsObserver(ctx, cmd, c.log)
	if err != nil {
		return err
	}
	defer done()
	if !c.stream || cmd.Flags().Changed("timeout") {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	out := cmd.OutOrStdout()
	switch {
	case c.each:
		return c.callEach(ctx, client, out, args[0], data)
	case c.stream:
		return c.callStream(ctx, client, out, args[0], data)
	}
	return c.callOne(ctx, client, out, args[0], data)
}

func (c *caller) options() []rpc.CallOption {
	var opts []rpc.CallOption
	if c.affinity != "" {
		opts = append(opts, rpc.Affinity(c.affinity))
	}
	if c.node != "" {
		opts = append(opts, rpc.OnNode(c.node))
	}
	return opts
}

// A called is what one instance answered, in JSON.
type called struct {
	Result  *bus.Body        `json:"result,omitempty"`
	Error   *api.CallFailure `json:"error,omitempty"`
	Node    string           `json:"node,omitempty"`
	Elapsed float64          `json:"elapsed_ms"`
}

func newCalled(result bus.Body, err error, node string, took time.Duration) called {
	answer := called{Node: node, Elapsed: float64(took.Microseconds()) / 1000}
	if err != nil {
		answer.Error = new(api.CallFailureOf(err))
	} else {
		answer.Result = &result
	}
	return answer
}

func (c *caller) callOne(ctx context.Context, client *rpc.Client, out io.Writer, method string, data bus.Body) error {
	var receipt *bus.Receipt
	began := time.Now()
	result, err := client.Call(ctx, method, data, append(c.options(), rpc.Trace(&receipt))...)
	if c.json {
		answer := newCalled(result, err, answeredBy(receipt), time.Since(began))
		return errors.Join(printJSON(out, answer), silently(err))
	}
	if err != nil {
		return c.failed(err)
	}
	return printBody(out, result)
}

// answeredBy is the node that a receipt's call ended at; empty where none is known.
func answeredBy(r *bus.Receipt) string {
	if r == nil || len(r.Deliveries) == 0 {
		return ""
	}
	return r.Deliveries[0].Node
}

func (c *caller) callStream(ctx context.Context, client *rpc.Client, out io.Writer, method string, data bus.Body) error {
	began := time.Now()
	for item, err := range client.CallStream(ctx, method, data, c.options()...) {
		switch {
		case c.json:
			if err := errors.Join(printJSON(out, newCalled(item, err, "", time.Since(began))), silently(err)); err != nil {
				return err
			}
		case err != nil:
			return c.failed(err)
		default:
			if err := printBody(out, item); err != nil {
				return err
			}
		}
	}
	return nil
}

// callEach prints a line for each instance as it answers. It fails if one of them did.
func (c *caller) callEach(ctx context.Context, client *rpc.Client, out io.Writer, method string, data bus.Body) error {
	var failed error
	for reply, err := range client.CallEach(ctx, method, data) {
		failed = errors.Join(failed, silently(err))
		switch {
		case c.json:
			err = printJSON(out, newCalled(reply.Value, err, reply.Node, reply.Elapsed))
		case reply.Node == "" && err != nil: // nobody was called
			return c.failed(err)
		case err != nil:
			failure := api.CallFailureOf(err)
			_, err = fmt.Fprintf(out, "%s: %s: %s\n", orDash(reply.Node), oneLine(string(failure.Code)), oneLine(failure.Message))
		default:
			_, err = fmt.Fprintf(out, "%s: ", orDash(reply.Node))
			err = errors.Join(err, printBody(out, reply.Value))
		}
		if err != nil {
			return err
		}
	}
	return failed
}

// failed is what a person reads of a call that failed, with its details.
func (c *caller) failed(err error) error {
	failure := api.CallFailureOf(err)
	text := plain.Text(err)
	switch {
	case failure.Code == rpc.CodeBadRequest && !rpc.IsRemote(err) && c.stream:
		text += " (leave out --stream)"
	case failure.Code == rpc.CodeBadRequest && !rpc.IsRemote(err):
		text += " (see --stream)"
	case failure.Details != nil && failure.Code != rpc.CodeUnknownMethod: // whose message says the same
		text += "; details: " + oneLine(string(failure.Details))
	}
	return &exitError{codeOfCall(err), errors.New(oneLine(text))}
}

// silently is the exit code alone, for an error that was printed.
func silently(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: codeOfCall(err)}
}

func codeOfCall(err error) int {
	if rpc.CodeOf(err) == rpc.CodeBadRequest && !rpc.IsRemote(err) {
		return exitUsage // a stream was called as one result, or the other way round
	}
	return codeOfBus(err)
}
