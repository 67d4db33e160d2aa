package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Limits are what a queue allows over the whole cluster. The zero value of a field means no limit, unless it says otherwise.
type Limits struct {
	// Rate is how many jobs may start in each Per (default 1 s). Starts are spread evenly: see Burst.
	Rate int
	Per  time.Duration
	// Burst is how many may start at once after a pause. Default: 1.
	Burst int
	// Running is how many jobs may run at once. Those count that started since it was set.
	Running int
	// Length is how many jobs the queue may hold: waiting, delayed and running.
	Length int
	// DropOldest drops the job that has waited longest, of the lowest priority that waits, when there is no room for another; those who
	// await it end with ErrDropped. Otherwise, and where none waits, the new job is refused with ErrQueueFull.
	DropOldest bool
	// DeadLetters is how many dead jobs the queue keeps; of more the longest dead is dropped, which is counted. Default: 100,000; negative:
	// all.
	DeadLetters int
}

// MarshalJSON gives the limits in their public shape.
func (l Limits) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Rate       int   `json:"rate,omitempty"`
		Per        int64 `json:"per_ms,omitempty"`
		Burst      int   `json:"burst,omitempty"`
		Running    int   `json:"running,omitempty"`
		Length     int   `json:"length,omitempty"`
		DropOldest bool  `json:"drop_oldest,omitempty"`
		Letters    int   `json:"dead_letters,omitempty"`
	}{l.Rate, l.Per.Milliseconds(), l.Burst, l.Running, l.Length, l.DropOldest, l.DeadLetters})
}

// SetLimits sets what the queue allows, for all who use it and until it is set again.
func (q *Queue) SetLimits(ctx context.Context, l Limits) error {
	if err := q.setLimits(ctx, l); err != nil {
		return q.fail("set limits of", err)
	}
	return nil
}

func (q *Queue) setLimits(ctx context.Context, l Limits) error {
	if err := CheckQueue(q.name); err != nil {
		return err
	}
	if l.Rate < 0 || l.Per < 0 || l.Burst < 0 || l.Running < 0 || l.Length < 0 {
		return fmt.Errorf("%w: limits want no negative numbers", ErrOption)
	}
	if l.Per == 0 {
		l.Per = time.Second
	}
	if l.Per < time.Millisecond {
		return fmt.Errorf("%w: Limits.Per is %v: want 1 ms at least", ErrOption, l.Per)
	}
	meta := q.base + "meta"
	pipe := q.jobs.store.client.TxPipeline()
	pipe.HDel(ctx, meta, "rate", "per", "burst", "next", "running", "length", "drop", "letters")
	if l.Rate > 0 {
		pipe.HSet(ctx, meta, "rate", l.Rate, "per", l.Per.Milliseconds(), "burst", max(l.Burst, 1))
	}
	if l.Running > 0 {
		pipe.HSet(ctx, meta, "running", l.Running)
	} else {
		pipe.Del(ctx, q.base+"running")
	}
	if l.Length > 0 {
		drop := 0
		if l.DropOldest {
			drop = 1
		}
		pipe.HSet(ctx, meta, "length", l.Length, "drop", drop)
	}
	if l.DeadLetters != 0 {
		pipe.HSet(ctx, meta, "letters", l.DeadLetters)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return redisError(err)
	}
	return q.announce(ctx)
}

// limitsOf reads the limits as Redis has them.
func limitsOf(named map[string]string) Limits {
	number := func(name string) int {
		n, _ := strconv.Atoi(named[name])
		return n
	}
	return Limits{Rate: number("rate"), Per: time.Duration(number("per")) * time.Millisecond, Burst: number("burst"),
		Running: number("running"), Length: number("length"), DropOldest: named["drop"] == "1", DeadLetters: number("letters")}
}

// Pause has no job of the queue start, over the whole cluster, until Resume; those that run go on, and more may be enqueued.
func (q *Queue) Pause(ctx context.Context) error {
	err := CheckQueue(q.name)
	if err == nil {
		err = redisError(q.jobs.store.client.HSet(ctx, q.base+"meta", "paused", 1).Err())
	}
	if err != nil {
		return q.fail("pause", err)
	}
	return nil
}

// Resume ends a pause, within 250 ms.
func (q *Queue) Resume(ctx context.Context) error {
	err := CheckQueue(q.name)
	if err == nil {
		err = redisError(q.jobs.store.client.HDel(ctx, q.base+"meta", "paused").Err())
	}
	if err != nil {
		return q.fail("resume", err)
	}
	return nil
}
