// Command peers plays the roles of what the benchmark compares ackbus with and does not use itself. It is a module of its own, so that
// nothing of this is a dependency of ackbus; the benchmark builds it when it is asked for one of them.
package main

import (
	"fmt"
	"os"

	"github.com/ackbus/ackbus/bench/internal/role"
)

var roles = map[string]role.Start{
	"asynq-pool":     asynqPool,
	"asynq-producer": asynqProducer,
	"nats-server":    natsServer,
	"nats-responder": natsResponder,
	"nats-requester": natsRequester,
}

func main() {
	if len(os.Args) < 2 || os.Args[1] != role.Argument {
		fmt.Fprintln(os.Stderr, "peers: this is started by the benchmark: go run ./bench -h")
		os.Exit(2)
	}
	if err := role.Run(os.Args[2:], roles); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}
