package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A cast is the processes of one system; the last one makes the requests.
type cast struct {
	system    string
	processes []*process
}

func (c *cast) requester() *process { return c.processes[len(c.processes)-1] }

// gather starts the processes of a system.
func (st *stage) gather(ctx context.Context, system string) (*cast, error) {
	names := []string{system + "-responder", system + "-requester"}
	if system == systemGateway {
		names = []string{"gateway-node", "gateway-clients", "gateway-publisher"}
	}
	c := &cast{system: system}
	b := brief{Clients: st.settings.users, Concurrency: st.settings.concurrency}
	for _, name := range names {
		if err := st.start(ctx, c, name, &b); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// start adds one process, and ends those that are there if it can't.
func (st *stage) start(ctx context.Context, c *cast, role string, b *brief) error {
	b.Role, b.Redis, b.Profiles = role, st.server.Addr(), st.settings.profiles
	p, err := startProcess(ctx, role, *b)
	if err != nil {
		return errors.Join(err, c.end(true))
	}
	c.processes = append(c.processes, p)
	if p.at != "" {
		b.Gateway = p.at
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
		a, err := p.order(ctx, order{})
		if err != nil {
			return nil, err
		}
		used[p.name] = a.Usage.CPU
	}
	client := st.server.Client()
	defer client.Close()
	text, err := client.Info(ctx, "cpu").Result()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, _ := strconv.ParseFloat(value, 64)
			used["redis"] += time.Duration(seconds * float64(time.Second))
		}
	}
	return used, nil
}
