package publisher

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/run"
)

// A way is how calls are made.
type way interface {
	ask(ctx context.Context, key history.Key, d *plan) history.End
	from() string
	entry() string
	close() error
}

// A publisher is a process that publishes.
type publisher struct {
	settings *Settings
	log      *history.Log
	planner  *planner
	ways     []way
	numbered int
	calls    *run.Group
	slots    chan struct{}
}

// Run makes calls until ctx ends, and returns when those under way have ended. It calls ready when it is about to begin.
func Run(ctx context.Context, s *Settings, ready func()) error {
	return actor.Live(ctx, &s.Settings, func(ctx context.Context, a *actor.Actor) error {
		p := &publisher{settings: s, log: a.Log, planner: &planner{settings: s, chance: rand.New(rand.NewPCG(s.Seed, 1))},
			calls: run.New(context.WithoutCancel(ctx)), slots: make(chan struct{}, inFlight)}
		err := p.open(ctx, a)
		if err == nil {
			ready()
			a.Pace(ctx, p.begin)
		}
		p.calls.Stop()
		p.calls.Wait()
		for _, w := range p.ways {
			err = errors.Join(err, w.close())
		}
		return err
	})
}

func (p *publisher) open(ctx context.Context, a *actor.Actor) error {
	if p.settings.Redis == "" {
		for _, n := range p.settings.Nodes {
			p.ways = append(p.ways, visit(n, p.log.Now))
		}
		return nil
	}
	b, err := a.Join(ctx)
	if err == nil {
		p.ways = append(p.ways, &member{name: p.settings.Name, bus: b, now: p.log.Now})
	}
	return err
}

// begin draws a plan and starts it, unless too many are under way.
func (p *publisher) begin() {
	d := p.planner.draw()
	ways := p.drawWays(d.times, d.chosen)
	first := p.numbered + 1
	select {
	case p.slots <- struct{}{}:
	default:
		return
	}
	p.numbered += d.times
	if d.chosen {
		d.id = uuid.NewString()
	}
	p.calls.Go(func() {
		defer func() { <-p.slots }()
		for n, w := range ways {
			p.call(history.Key{Publisher: p.settings.Name, Number: first + n}, w, &d)
			d.first = first
		}
	})
}

// drawWays draws a way for each time: the same one, but for calls with a chosen ID, which are the same anywhere.
func (p *publisher) drawWays(times int, apart bool) []way {
	ways := make([]way, times)
	for i := range ways {
		if i > 0 && !apart {
			ways[i] = ways[0]
		} else {
			ways[i] = p.ways[p.planner.chance.IntN(len(p.ways))]
		}
	}
	return ways
}

// call makes one call. Nothing but its own deadline ends it.
func (p *publisher) call(key history.Key, w way, d *plan) {
	begin := p.log.Now()
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	p.log.Append(history.Event{At: begin, Kind: history.Asked, Actor: p.settings.Name, Call: &history.Call{
		Key: key, To: d.to, From: w.from(), Entry: w.entry(), Publish: d.publish, Level: d.level, Require: d.require,
		Volatile: d.volatile, Deadline: begin + d.timeout.Nanoseconds(), ID: d.id, First: d.first,
	}})
	end := w.ask(ctx, key, d)
	p.log.Append(history.Event{At: end.At, Kind: history.Ended, Actor: p.settings.Name, End: &end})
	if end.Receipt != nil {
		p.planner.heard(end.Receipt)
	}
}
