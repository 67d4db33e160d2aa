package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ackbus/ackbus/bench/internal/role"
	"github.com/ackbus/ackbus/internal/redistest"
)

// loadsOf is how many requests each system has in flight, in turn.
var loadsOf = map[string][]int{
	systemFloor:   {1},
	systemPlain:   {1, 64, 1024},
	systemBus:     {1, 64, 1024},
	systemRPC:     {1, 64, 1024},
	systemRaw:     {1, 64, 1024},
	systemNATS:    {1, 64, 1024},
	systemGateway: {1, 64, 512},
}

// loads are those numbers. At each of them the systems are measured one right after the other.
var loads = []int{1, 64, 512, 1024}

// measure runs the benchmark, and leaves no process behind.
func measure(ctx context.Context, s settings, progress io.Writer) (_ *report, err error) {
	server, err := redistest.Run(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	r := &report{Settings: s.text()}
	if r.Machine, err = describeMachine(ctx, server); err != nil {
		return nil, err
	}
	stage := &stage{settings: s, server: server, progress: progress, peers: peers{progress: progress}, bullmq: bullmq{progress: progress}}
	defer func() { err = errors.Join(err, stage.peers.remove(), stage.bullmq.remove()) }()
	if err := stage.rounds(ctx, r); err != nil {
		return nil, err
	}
	if s.has(systemIdle) {
		if r.Idle, err = stage.idle(ctx); err != nil {
			return nil, err
		}
	}
	if err := stage.jobs(ctx, r); err != nil {
		return nil, err
	}
	r.figure()
	return r, nil
}

// A stage is where the systems take turns.
type stage struct {
	settings settings
	server   *redistest.Server
	progress io.Writer
	peers    peers
	bullmq   bullmq
}

// rounds measures every system at every load, again and again.
func (st *stage) rounds(ctx context.Context, r *report) (err error) {
	var casts []*cast
	defer func() {
		for _, c := range casts {
			err = errors.Join(err, c.end(err != nil))
		}
	}()
	for _, system := range systems {
		if !st.settings.has(system) || loadsOf[system] == nil {
			continue
		}
		c, err := st.gather(ctx, system)
		if err != nil {
			return err
		}
		casts = append(casts, c)
	}
	for round := range st.settings.rounds {
		if len(casts) > 0 {
			fmt.Fprintf(st.progress, "round %d of %d\n", round+1, st.settings.rounds)
		}
		for _, n := range loads {
			for _, c := range casts {
				if !st.settings.wants(c.system, n) {
					continue
				}
				t, err := st.turn(ctx, c, n)
				if err != nil {
					return err
				}
				r.add(round, c.system, n, t)
			}
		}
	}
	return nil
}

// turn measures one system at one load.
func (st *stage) turn(ctx context.Context, c *cast, n int) (turn, error) {
	before, err := st.usages(ctx, c)
	if err != nil {
		return turn{}, err
	}
	a, err := c.requester().order(ctx, role.Order{InFlight: n, Warmup: st.settings.warmup(), Measured: st.settings.measured})
	if err != nil {
		return turn{}, err
	}
	after, err := st.usages(ctx, c)
	if err != nil {
		return turn{}, err
	}
	t := turn{Sample: a.Load}
	// What others used is known for the whole turn alone, so it is shared out over all that the requester used meanwhile.
	if own := after[c.requester().name] - before[c.requester().name]; own > 0 && t.Requests > 0 {
		t.CPUs = make(map[string]float64, len(after))
		for name := range after {
			share := float64(after[name]-before[name]) / float64(own)
			t.CPUs[name] = share * float64(t.CPU) / float64(t.Requests) / 1000
		}
	}
	return t, nil
}
