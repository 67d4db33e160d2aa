package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit code. ctx bounds the life of the command.
func execute(ctx context.Context, args []string, env lookup, in io.Reader, out, errOut io.Writer) int {
	root := newRoot(env)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	code := exitCode(err)
	if text := err.Error(); text != "" {
		_, _ = fmt.Fprintf(errOut, "ackbus: %s\n", text)
	}
	if code == exitUsage {
		_, _ = fmt.Fprintf(errOut, "See %s --help\n", cmd.CommandPath())
	}
	return code
}

func newRoot(env lookup) *cobra.Command {
	root := &cobra.Command{
		Use:           "ackbus",
		Short:         "A request/reply bus over Redis pub/sub whose requests come back with receipts",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return fillFlags(cmd.Flags(), env)
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	log := new(logFlags)
	log.add(root.PersistentFlags())
	root.AddCommand(newServe(log), newDemo(log), newRequest(log), newPublish(log), newConnect(log), newNodes(log), newSockets(log),
		newCall(log), newReply(log), newMethods(log), newEnqueue(log), newWork(log), newQueues(log), newDead(log),
		newBench(log), newDoctor(), newVersion())
	return root
}

const rootHelp = `ackbus sends a message to a user, a group, a socket, a node or a topic anywhere in a cluster, and reads back the
receipt: which node delivered to which socket, and whether the client at the other end confirmed.

Try it:
  ackbus demo                                             a cluster in one process, with every outcome there is
  ackbus serve                                            a node; without --redis with an embedded Redis, for development
  ackbus connect --url ws://127.0.0.1:7070/ws --user 42   a client that acknowledges
  ackbus request user:42 payment.settled '{"amount":100}' a request, and its receipt
  ackbus reply math.sum --exec 'jq ".a + .b"'             a method, served by any program
  ackbus call math.sum '{"a":1,"b":2}'                    a call, and its result
  ackbus work shout --exec 'tr a-z A-Z'                   a worker: jobs on standard input, results on standard output
  ackbus enqueue shout '"hello"' --wait 5s                a job, and its result
  ackbus bench                                            load, and a table of latencies

Every flag has an environment variable: --log-format is ACKBUS_LOG_FORMAT. A flag on the command line wins.
Exit codes: 0 done, or the requirement was met · 1 another outcome, or a failure · 2 wrong usage · 3 Redis can't be reached.`
