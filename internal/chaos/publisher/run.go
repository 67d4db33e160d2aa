package publisher

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

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
	log, err := history.Create(s.Dir, s.Name)
	if err != nil {
		return err
	}
	before := held()
	p := &publisher{settings: s, log: log, planner: &planner{settings: s, chance: rand.New(rand.NewPCG(s.Seed, 1))},
		calls: run.New(context.WithoutCancel(ctx)), slots: make(chan struct{}, inFlight)}
	watch := run.New(context.WithoutCancel(ctx))
	watch.Go(func() { log.Watch(watch.Context(), s.Name) })
	err = p.open(ctx)
	if err == nil {
		ready()
		p.publish(ctx)
	}
	p.calls.Stop()
	p.calls.Wait()
	for _, w := range p.ways {
		err = errors.Join(err, w.close())
	}
	watch.Stop()
	watch.Wait()
	tellHeld(log, s.Name, before)
	return errors.Join(err, log.Close())
}

func (p *publisher) open(ctx context.Context) error {
	if p.settings.Redis == "" {
		for _, n := range p.settings.Nodes {
			p.ways = append(p.ways, visit(n, p.log.Now))
		}
		return nil
	}
	file, err := os.Create(filepath.Join(p.settings.Dir, p.settings.Name+".log"))
	if err != nil {
		return err
	}
	m, err := join(ctx, p.settings, slog.New(slog.NewJSONHandler(file, nil)))
	if err == nil {
		m.now = p.log.Now
		p.ways = append(p.ways, m)
	}
	return err
}

// publish begins calls at their rate. What came due while the machine had no time is made up for.
func (p *publisher) publish(ctx context.Context) {
	tick := time.NewTicker(time.Second / time.Duration(p.settings.Rate))
	defer tick.Stop()
	began, due := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := int(time.Since(began) * time.Duration(p.settings.Rate) / time.Second)
		for due = max(due, now-p.settings.Rate); due < now; due++ { // of a second at most
			p.begin()
		}
	}
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
