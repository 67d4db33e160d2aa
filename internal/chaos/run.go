package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
)

// lastCalm is how long after the last fault the traffic goes on.
const lastCalm = 5 * time.Second

// Run plays a seed and returns the verdict. An error says that the run itself failed, which is no verdict. ctx bounds it.
func Run(ctx context.Context, o Options) (*judge.Verdict, string, error) {
	filled, err := o.withDefaults()
	if err != nil {
		return nil, "", fmt.Errorf("chaos: %w", err)
	}
	steps, err := filled.steps()
	if err != nil {
		return nil, "", err
	}
	fmt.Fprintf(filled.Out, "seed %d, histories in %s\n", filled.Seed, filled.Dir)
	printSchedule(filled.Out, steps)
	if err := play(ctx, &filled, steps); err != nil {
		return nil, filled.Dir, err
	}
	v, err := Judge(filled.Dir)
	return v, filled.Dir, err
}

// Judge judges the histories of a directory.
func Judge(dir string) (*judge.Verdict, error) {
	events, err := history.Read(dir)
	if err != nil {
		return nil, err
	}
	return judge.Judge(events), nil
}

func play(ctx context.Context, o *Options, steps []step) (err error) {
	c, err := newCluster(ctx, o)
	if c == nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err != nil {
		return err
	}
	before, err := c.settle(ctx)
	if err != nil {
		return err
	}
	if err := c.populate(ctx); err != nil {
		return err
	}
	c.log.Append(history.Event{Kind: history.Settled})
	if err := c.disturb(ctx, steps); err != nil {
		return err
	}
	if err := c.leave(); err != nil {
		return err
	}
	if err := c.gaugeUntilEmpty(ctx, before); err != nil {
		return err
	}
	return c.tellJobs()
}

// settle waits until all nodes know each other, and measures what they hold then.
func (c *cluster) settle(ctx context.Context) (map[string]map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		all, err := c.gauge(ctx)
		known := 0
		for _, n := range c.nodes {
			known += int(all[n.name]["nodes"])
		}
		if err == nil && known == len(c.nodes)*len(c.nodes) {
			c.writeGauges("start", all)
			return all, nil
		}
		if !pause.For(ctx, 50*time.Millisecond) {
			return nil, fmt.Errorf("chaos: the nodes do not know each other: %w", err)
		}
	}
}

// disturb does what the schedule says.
func (c *cluster) disturb(ctx context.Context, steps []step) error {
	number := 0
	for i, s := range steps {
		if !pause.For(ctx, s.pause) {
			return ctx.Err()
		}
		fmt.Fprintf(c.opts.Out, "%s %3d. %v\n", time.Now().Format(time.TimeOnly), i+1, s.names())
		together := run.New(ctx)
		errs := make([]error, len(s.acts))
		for j := range s.acts {
			number++
			mine := number
			together.Go(func() { errs[j] = c.do(ctx, mine, &s.acts[j]) })
		}
		together.Stop()
		together.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	if !pause.For(ctx, lastCalm) {
		return ctx.Err()
	}
	return nil
}

func (s *step) names() []string {
	var all []string
	for i := range s.acts {
		all = append(all, s.acts[i].String())
	}
	return all
}

// do does one fault and heals it, and writes down from when to when.
func (c *cluster) do(ctx context.Context, number int, a *act) error {
	if a.kind.possible != nil && !a.kind.possible(c) {
		fmt.Fprintf(c.opts.Out, "%s: not possible here, left out\n", a.kind.name)
		return nil
	}
	t := history.Trouble{Number: number, Name: a.kind.name, Touches: a.kind.touches(c, a.target)}
	switch {
	case a.hold >= a.kind.grave:
		t.Does = a.kind.does
	case a.hold >= doubt && a.kind.does == history.Silences:
		t.Does = history.Hides
	}
	c.log.Append(history.Event{Kind: history.Fault, Fault: &t})
	if err := a.kind.begin(ctx, c, a.target); err != nil {
		return fmt.Errorf("%s: %w", a.kind.name, err)
	}
	if !pause.For(ctx, a.hold) {
		return ctx.Err()
	}
	if err := a.kind.heal(ctx, c, a.target); err != nil {
		return fmt.Errorf("%s: heal: %w", a.kind.name, err)
	}
	c.log.Append(history.Event{Kind: history.Healed, Fault: &t})
	return nil
}
