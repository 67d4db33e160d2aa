package main

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/cmd/ackbus/internal/program"
	"github.com/ackbus/ackbus/rpc"
)

// A reply is the command of that name.
type reply struct {
	runner

	log         *logFlags
	description string
	version     string
	idempotent  bool
}

func newReply(log *logFlags) *cobra.Command {
	r := &reply{runner: runner{purpose: "answers a call"}, log: log}
	cmd := &cobra.Command{
		Use:   "reply METHOD --exec CMD",
		Short: "Serve a method with any program: the argument on standard input, the result on standard output",
		Long: `Serve a method with any program: the argument on standard input, the result on standard output.

CMD runs through sh -c, once for each call. Exit status 0 answers: output that is JSON is the result, other text becomes a string without
its last newline. Any other status rejects the call, and what the program printed goes along as details. Standard error goes to the log. In
its environment are ACKBUS_CALL_ID, ACKBUS_CALL_METHOD, ACKBUS_CALL_TIMEOUT_MS (the time left), and ACKBUS_CALL_USER where a user's client
calls through a gateway.

A call whose time is over, or whose caller has given up, has its program ended, with all that the program has started: SIGTERM, and SIGKILL
a second later. SIGTERM to ackbus drains: no new calls, those that run are awaited up to --drain, and it ends with 0; a second signal ends
it at once. Several replies for one method share its calls.`,
		Example: `  ackbus reply math.sum --exec 'jq ".a + .b"' --idempotent`,
		Args:    cobra.ExactArgs(1),
		RunE:    running(r.run),
	}
	r.add(cmd.Flags(), "calls", "node")
	r.addMethod(cmd.Flags())
	return cmd
}

func (r *reply) addMethod(flags *pflag.FlagSet) {
	parsed(flags, &r.description, "description", "string", "", "what the method does, for the listing", shortText(rpc.MaxDescription))
	parsed(flags, &r.version, "method-version", "string", "", "version of the method, for the listing", shortText(rpc.MaxVersion))
	flags.BoolVar(&r.idempotent, "idempotent", false, "a call may be run twice: one that may have run goes to another instance")
}

func (r *reply) run(cmd *cobra.Command, args []string) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := checkMethod(args[0]); err != nil {
		return err
	}
	ctx, stop := signalled(cmd.Context())
	defer stop()
	log := r.log.logger(cmd.ErrOrStderr())
	b, err := r.open(ctx, cmd, log)
	if err != nil {
		return err
	}
	defer r.admin.close()
	defer r.running.Wait() // a program is ended within a second and a bit of its context's end
	defer func() { _ = b.Close() }()
	server, err := r.serve(ctx, b, args[0], log)
	if err != nil {
		return err
	}
	log.Info("ready", "method", args[0], "node", b.Node().Name, "id", b.Node().ID, "concurrency", r.concurrency,
		"admin", r.admin.url())
	<-ctx.Done()
	log.Info("draining", "up_to", r.drain.String())
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.drain)
	defer cancel()
	if err := errors.Join(server.Drain(limit), b.Drain(limit)); err != nil {
		log.Warn("drained in part: what is left is ended", "error", err)
	}
	log.Info("stopped")
	return nil
}

func (r *reply) serve(ctx context.Context, b *bus.Bus, method string, log *slog.Logger) (*rpc.Server, error) {
	metrics, err := rpc.Metrics(r.registry)
	if err != nil {
		return nil, err
	}
	server, err := rpc.NewServer(b, &rpc.ServerOptions{Logger: log, Interceptors: []rpc.Interceptor{metrics}})
	if err != nil {
		return nil, err
	}
	opts := []rpc.MethodOption{rpc.Concurrency(r.concurrency), rpc.Version(r.version), rpc.Description(r.description)}
	if r.idempotent {
		opts = append(opts, rpc.Idempotent())
	}
	server.HandleFunc(method, r.answer(log), opts...)
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	if err := server.Start(ctx); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return server, nil
}

// answer runs the program for a call.
func (r *reply) answer(log *slog.Logger) rpc.Invoker {
	return func(ctx context.Context, q *rpc.Request) (bus.Body, error) {
		result, err := r.launch(ctx, q.Body, variables(ctx, q), log.With("method", q.Method, "call", q.ID.String()))
		return result, refusal(ctx, result, err)
	}
}

func variables(ctx context.Context, q *rpc.Request) map[string]string {
	v := map[string]string{"ACKBUS_CALL_ID": q.ID.String(), "ACKBUS_CALL_METHOD": q.Method, "ACKBUS_CALL_USER": q.Headers[userHeader]}
	if deadline, has := ctx.Deadline(); has {
		v["ACKBUS_CALL_TIMEOUT_MS"] = strconv.FormatInt(max(time.Until(deadline).Milliseconds(), 0), 10)
	}
	return v
}

// refusal is what the caller reads of a program that has not answered.
func refusal(ctx context.Context, said bus.Body, err error) error {
	code := rpc.CodeInternal
	_, ended := errors.AsType[*program.ExitError](err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return err
	case ended:
		code = rpc.CodeRejected
	case errors.Is(err, program.ErrOutput):
		code = rpc.CodeTooLarge
	}
	refused := &rpc.Error{Code: code, Message: err.Error()}
	if !said.IsZero() {
		refused.Details = said
	}
	return refused
}
