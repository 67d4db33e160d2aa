package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"weak"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/run"
)

// Options change a Jobs. The zero value of a field means its default; a nil *Options means all defaults.
type Options struct {
	// MaxBody is how many bytes a job, and a result, may have. Default: 1 MiB.
	MaxBody int
	// Logger takes what an operator should know. Default: slog.Default().
	Logger *slog.Logger
	// Metrics is where metrics are registered. Default: nowhere.
	Metrics prometheus.Registerer
}

// Jobs is the door to the queues on one Redis. Its methods may be called from many goroutines.
type Jobs struct {
	bus     *bus.Bus
	self    bus.Node
	store   *store
	maxBody int
	log     *slog.Logger
	metrics *metrics
	group   *run.Group
	awaited *awaited
	at      *bus.Attachment
	telling *tellings

	mu      sync.Mutex
	closed  bool
	queues  map[string]weak.Pointer[Queue] // those that somebody uses: names may come from outside
	sweepAt int                            // how many of them have the others be forgotten
	intakes map[*intake]bool               // of running pools
	pools   sync.WaitGroup                 // that run
}

// Open attaches to the queues on the Redis at the URL, which takes the forms that bus.Open takes; it should be the bus's own. ctx
// bounds the call. Errors that wrap ErrUnavailable say that Redis can't be reached. Close it before the bus.
func Open(ctx context.Context, b *bus.Bus, redisURL string, opts *Options) (*Jobs, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 20
	}
	if o.MaxBody < 0 {
		return nil, fmt.Errorf("%w: Options.MaxBody is %d: want more than 0", ErrOption, o.MaxBody)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s, err := openStore(ctx, redisURL, b.Prefix())
	if err != nil {
		return nil, fmt.Errorf("worker: open: %w", err)
	}
	j := &Jobs{bus: b, self: b.Node(), store: s, maxBody: o.MaxBody, log: o.Logger.With(slog.String("node", b.Node().Name)),
		group:   run.New(context.Background()),
		awaited: newAwaited(), telling: newTellings(), queues: make(map[string]weak.Pointer[Queue]), intakes: make(map[*intake]bool)}
	j.metrics = newMetrics(j, o.Metrics)
	here := bus.MethodAt(resultMethod, j.self.ID)
	if j.at, err = b.Attach(ctx, endpoint{j}, bus.Profile{Carrier: bus.CarrierHandler}, here); err != nil {
		return nil, fmt.Errorf("worker: open: %w", errors.Join(err, s.close()))
	}
	j.group.Go(j.watchAwaited)
	return j, nil
}

// Queue is the queue of a name: 1 to 128 bytes of UTF-8 without control characters, braces or slashes. A name that is not allowed
// surfaces as ErrName where the queue is used. The queue comes into being with its first job, or its first worker.
func (j *Jobs) Queue(name string) *Queue {
	j.mu.Lock()
	defer j.mu.Unlock()
	if q := j.queues[name].Value(); q != nil {
		return q
	}
	q := newQueue(j, name)
	if CheckQueue(name) == nil {
		j.forgetLocked()
		j.queues[name] = weak.Make(q)
	}
	return q
}

// forgetLocked forgets the queues that nobody uses any more, now and then.
func (j *Jobs) forgetLocked() {
	const few = 1000
	if len(j.queues) < max(j.sweepAt, few) {
		return
	}
	maps.DeleteFunc(j.queues, func(_ string, q weak.Pointer[Queue]) bool { return q.Value() == nil })
	j.sweepAt = 2 * len(j.queues)
}

// Queues tells of every queue that was ever used, by name.
func (j *Jobs) Queues(ctx context.Context) ([]QueueInfo, error) {
	names, err := j.store.client.SMembers(ctx, j.store.names()).Result()
	if err != nil {
		return nil, fmt.Errorf("worker: queues: %w", redisError(err))
	}
	slices.Sort(names)
	infos := make([]QueueInfo, 0, len(names))
	for _, name := range names {
		info, err := newQueue(j, name).Info(ctx) // not remembered: somebody else's queue
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// Close ends the pools as if their contexts had ended and their drain time were over, and those who wait for jobs with ErrClosed. The
// jobs go on elsewhere. It returns once every goroutine has ended but those of handlers that do not, and is idempotent.
func (j *Jobs) Close() error {
	j.mu.Lock()
	first := !j.closed
	j.closed = true
	j.mu.Unlock()
	j.awaitTold(lastGrace)
	j.group.Stop()
	j.awaited.close()
	j.pools.Wait()
	j.group.Wait()
	if !first {
		return nil
	}
	j.at.Detach()
	j.metrics.unregister()
	if err := j.store.close(); err != nil {
		return fmt.Errorf("worker: close: %w", err)
	}
	return nil
}
