package role

import (
	"context"
	"errors"
	"fmt"
)

// The acts of a pool of workers.
const (
	ActOpen  = "open"  // work from now on
	ActClose = "close" // once so many jobs have started, end; tells how long they took to start
	ActDrain = "drain" // open and close: how fast a backlog goes
)

// An OpenPool starts a pool that runs so many no-op jobs at once and tells of each that starts. The function that it returns ends the
// pool, and returns once it has.
type OpenPool func(ctx context.Context, inFlight int, start func(Job)) (end func() error, err error)

// PoolActs are the acts of a pool, which may be opened and closed again and again.
func PoolActs(open OpenPool) map[string]Act {
	var now *shift
	opened := func(ctx context.Context, o Order) error {
		if now != nil {
			return errors.New("the pool is open")
		}
		s := newShift()
		end, err := open(ctx, o.InFlight, s.start)
		if err != nil {
			return err
		}
		s.end, now = end, s
		return nil
	}
	closed := func(ctx context.Context, o Order) (Sample, error) {
		if now == nil {
			return Sample{}, errors.New("the pool is not open")
		}
		s := now
		now = nil
		ctx, cancel := context.WithTimeout(ctx, Patience)
		defer cancel()
		err := s.await(ctx, o.Jobs)
		sample := s.sample()
		if err != nil {
			err = fmt.Errorf("%d jobs started, not %d: %w", sample.Jobs, o.Jobs, err)
		}
		return sample, errors.Join(err, s.end())
	}
	return map[string]Act{
		ActOpen:  func(ctx context.Context, o Order) (Sample, error) { return Sample{}, opened(ctx, o) },
		ActClose: closed,
		ActDrain: func(ctx context.Context, o Order) (Sample, error) {
			if err := opened(ctx, o); err != nil {
				return Sample{}, err
			}
			return closed(ctx, o)
		},
	}
}
