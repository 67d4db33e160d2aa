package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ackbus/ackbus/bench/internal/role"
)

const (
	producers    = 16 // who enqueue at once
	batchJobs    = 100
	jobsInFlight = 50 // that a pool runs at once, and callers that await results
)

// jobSystems are the ones that take jobs, in the order in which they take turns.
var jobSystems = []string{systemWorker, systemAsynq, systemBullMQ}

// A jobResult is one system that takes jobs, round by round.
type jobResult struct {
	System string    `json:"system"`
	Rounds []jobTurn `json:"rounds"`
}

// A jobTurn is one round of a queue: jobs are enqueued while nobody works, drained, and then come one by one to an idle pool.
type jobTurn struct {
	Enqueue step    `json:"enqueue"`
	Batch   step    `json:"batch"` // with EnqueueBatch; nothing for the others
	Drain   step    `json:"drain"`
	Idle    step    `json:"idle"`        // its percentiles are the times from enqueueing to the start
	Call    step    `json:"call"`        // with results awaited; nothing for a system that has none
	Memory  float64 `json:"redis_bytes"` // a waiting job
}

// A step is a part of a turn.
type step struct {
	role.Sample

	Cost float64 `json:"cost_us,omitempty"` // processor time a job, of all processes together
}

// jobs measures the systems that take jobs, in turns.
func (st *stage) jobs(ctx context.Context, r *report) (err error) {
	var casts []*cast
	defer func() {
		for _, c := range casts {
			err = errors.Join(err, c.end(err != nil))
		}
	}()
	for _, system := range jobSystems {
		if !st.settings.has(system) {
			continue
		}
		c, err := st.gather(ctx, system)
		if errors.Is(err, errNoNode) {
			fmt.Fprintf(st.progress, "%s is left out: %v\n", system, err)
			continue
		}
		if err != nil {
			return err
		}
		casts = append(casts, c)
		r.Jobs = append(r.Jobs, &jobResult{System: system})
	}
	for round := range st.settings.rounds {
		for i, c := range casts {
			fmt.Fprintf(st.progress, "jobs of %s, round %d of %d\n", c.system, round+1, st.settings.rounds)
			t, err := st.jobTurn(ctx, c)
			if err != nil {
				return err
			}
			r.Jobs[i].Rounds = append(r.Jobs[i].Rounds, t)
		}
	}
	return nil
}

func (st *stage) jobTurn(ctx context.Context, c *cast) (t jobTurn, err error) {
	before, err := st.redisNumbers(ctx, "memory")
	if err != nil {
		return t, err
	}
	load := role.Order{Act: role.ActEnqueue, InFlight: producers, Warmup: st.settings.warmup(), Measured: st.settings.measured}
	if t.Enqueue, err = st.act(ctx, c, c.requester(), load); err != nil {
		return t, err
	}
	after, err := st.redisNumbers(ctx, "memory")
	if err != nil {
		return t, err
	}
	t.Memory = (after["used_memory"] - before["used_memory"]) / float64(max(t.Enqueue.Jobs, 1))
	if c.system == systemWorker {
		few := role.Order{Act: role.ActBatch, InFlight: producers, Warmup: load.Warmup / 2, Measured: load.Measured / 2} // they are many
		if t.Batch, err = st.act(ctx, c, c.requester(), few); err != nil {
			return t, err
		}
	}
	drain := role.Order{Act: role.ActDrain, InFlight: jobsInFlight, Jobs: t.Enqueue.Jobs + t.Batch.Jobs}
	if t.Drain, err = st.act(ctx, c, c.pool(), drain); err != nil {
		return t, err
	}
	if err := st.idlePool(ctx, c, &t); err != nil {
		return t, err
	}
	if c.system == systemWorker {
		err = st.results(ctx, c, &t)
	}
	return t, err
}

// idlePool measures how soon a pool that has nothing to do starts a job.
func (st *stage) idlePool(ctx context.Context, c *cast, t *jobTurn) error {
	if _, err := c.pool().order(ctx, role.Order{Act: role.ActOpen, InFlight: jobsInFlight}); err != nil {
		return err
	}
	sent, err := c.requester().order(ctx, role.Order{Act: role.ActTrickle, Measured: st.settings.measured})
	if err != nil {
		return err
	}
	a, err := c.pool().order(ctx, role.Order{Act: role.ActClose, Jobs: sent.Load.Jobs})
	t.Idle = step{Sample: a.Load}
	return err
}

// results measures jobs whose results are awaited.
func (st *stage) results(ctx context.Context, c *cast, t *jobTurn) error {
	_, err := c.pool().order(ctx, role.Order{Act: role.ActOpen, InFlight: jobsInFlight})
	if err != nil {
		return err
	}
	load := role.Order{InFlight: jobsInFlight, Warmup: st.settings.warmup(), Measured: st.settings.measured}
	t.Call, err = st.act(ctx, c, c.requester(), load)
	if err != nil {
		return err
	}
	_, err = c.pool().order(ctx, role.Order{Act: role.ActClose})
	return err
}

// act has one process do something. A load without jobs of its own counts its requests,
// in the part of the time that it measured.
func (st *stage) act(ctx context.Context, c *cast, p *process, o role.Order) (step, error) {
	before, err := st.usages(ctx, c)
	if err != nil {
		return step{}, err
	}
	a, err := p.order(ctx, o)
	if err != nil {
		return step{}, err
	}
	after, err := st.usages(ctx, c)
	if err != nil {
		return step{}, err
	}
	var used time.Duration
	for name := range after {
		used += after[name] - before[name]
	}
	jobs := float64(a.Load.Jobs)
	if jobs == 0 && a.Load.Elapsed > 0 {
		jobs = float64(a.Load.Requests) * float64(o.Warmup+o.Measured) / float64(a.Load.Elapsed)
	}
	return step{Sample: a.Load, Cost: micros(used) / max(jobs, 1)}, nil
}

// redisNumbers is a section of what Redis says of itself.
func (st *stage) redisNumbers(ctx context.Context, section string) (map[string]float64, error) {
	client := st.server.Client()
	defer client.Close()
	text, err := client.Info(ctx, section).Result()
	if err != nil {
		return nil, err
	}
	numbers := make(map[string]float64)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			numbers[name] = v
		}
	}
	return numbers, nil
}
