package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/ackbus/ackbus/bench/internal/role"
)

// A cast is the processes of one system; the last one makes the requests.
type cast struct {
	system    string
	processes []*process
}

func (c *cast) requester() *process { return c.processes[len(c.processes)-1] }

// pool is the process that works off jobs, in a system that has some.
func (c *cast) pool() *process { return c.processes[0] }

// gather starts the processes of a system.
func (st *stage) gather(ctx context.Context, system string) (*cast, error) {
	names := []string{system + "-responder", system + "-requester"}
	switch system {
	case systemGateway:
		names = []string{"gateway-node", "gateway-clients", "gateway-publisher"}
	case systemNATS:
		names = slices.Insert(names, 0, "nats-server")
	case systemWorker, systemAsynq, systemBullMQ:
		names = []string{system + "-pool", system + "-producer"}
	}
	c := &cast{system: system}
	b := role.Brief{Clients: st.settings.users, Concurrency: st.settings.concurrency, Prefetch: st.settings.prefetch}
	for _, name := range names {
		if err := st.start(ctx, c, name, &b); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// program is the file that plays a system's roles.
func (st *stage) program(ctx context.Context, system string) (string, error) {
	if system == systemBullMQ {
		return st.bullmq.build(ctx)
	}
	if slices.Contains(peerSystems, system) {
		return st.peers.build(ctx)
	}
	return os.Executable()
}

// start adds one process, and ends those that are there if it can't.
func (st *stage) start(ctx context.Context, c *cast, name string, b *role.Brief) error {
	b.Role, b.Redis, b.Profiles = name, st.server.Addr(), st.settings.profiles
	program, err := st.program(ctx, c.system)
	var p *process
	if err == nil {
		p, err = startProcess(ctx, program, name, *b)
	}
	if err != nil {
		return errors.Join(err, c.end(true))
	}
	c.processes = append(c.processes, p)
	if p.at != "" {
		b.Peer = p.at
	}
	return nil
}

// end ends the processes, the requester first. After a failure they are killed, and how they end says nothing.
func (c *cast) end(failed bool) error {
	var errs []error
	for _, p := range slices.Backward(c.processes) {
		if failed {
			p.kill()
		} else {
			errs = append(errs, p.end())
		}
	}
	return errors.Join(errs...)
}

// usages is the processor time that each process of the cast, and Redis, has used so far.
func (st *stage) usages(ctx context.Context, c *cast) (map[string]time.Duration, error) {
	used := make(map[string]time.Duration, len(c.processes)+1)
	for _, p := range c.processes {
		a, err := p.order(ctx, role.Order{})
		if err != nil {
			return nil, err
		}
		used[p.name] = a.Usage.CPU
	}
	if c.system == systemNATS {
		return used, nil // which has a server of its own
	}
	numbers, err := st.redisNumbers(ctx, "cpu")
	used["redis"] = time.Duration((numbers["used_cpu_sys"] + numbers["used_cpu_user"]) * float64(time.Second))
	return used, err
}
