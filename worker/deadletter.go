package worker

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// DeadLetters is a page of the jobs that died.
type DeadLetters struct {
	Jobs  []JobInfo `json:"jobs"`
	Total int64     `json:"total"`
}

const maxPage = 1000

// Dead lists dead jobs, the newest first: limit of them (1 to 1,000), after the first offset.
func (q *Queue) Dead(ctx context.Context, offset, limit int) (DeadLetters, error) {
	if offset < 0 || limit < 1 || limit > maxPage {
		err := fmt.Errorf("%w: want an offset of 0 or more and a limit of 1 to %d", ErrOption, maxPage)
		return DeadLetters{}, q.fail("dead letters of", err)
	}
	if err := CheckQueue(q.name); err != nil {
		return DeadLetters{}, q.fail("dead letters of", err)
	}
	client, key := q.jobs.store.client, q.base+"dead"
	total, err := client.ZCard(ctx, key).Result()
	if err != nil {
		return DeadLetters{}, q.fail("dead letters of", redisError(err))
	}
	ids, err := client.ZRevRange(ctx, key, int64(offset), int64(offset+limit-1)).Result()
	if err != nil {
		return DeadLetters{}, q.fail("dead letters of", redisError(err))
	}
	jobs, err := q.inspect(ctx, ids)
	if err != nil {
		return DeadLetters{}, q.fail("dead letters of", err)
	}
	if jobs == nil {
		jobs = []JobInfo{}
	}
	return DeadLetters{Jobs: jobs, Total: total}, nil
}

// RetryDead has a dead job wait again, with all its attempts before it and its history behind it. ErrNoJob: there is no such dead job.
func (q *Queue) RetryDead(ctx context.Context, id JobID) error {
	reply, err := q.list(ctx, 2, scriptRevive, string(id), "")
	if err == nil && asNumber(reply[0]) == 0 {
		err = ErrNoJob
	}
	if err != nil {
		return q.fail("retry dead job in", err)
	}
	return nil
}

// RetryAllDead has every job wait again that is dead at the time of the call, and says how many they were.
func (q *Queue) RetryAllDead(ctx context.Context) (int, error) {
	n, err := q.allDead(ctx, func(till string) ([]any, error) { return q.list(ctx, 2, scriptRevive, "", till) })
	if err != nil {
		return n, q.fail("retry dead jobs in", err)
	}
	return n, nil
}

// DeleteDead deletes a dead job. ErrNoJob: there is no such dead job.
func (q *Queue) DeleteDead(ctx context.Context, id JobID) error { return q.remove(ctx, id, 1) }

// DeleteAllDead deletes every job that is dead at the time of the call, and says how many they were.
func (q *Queue) DeleteAllDead(ctx context.Context) (int, error) {
	n, err := q.allDead(ctx, func(till string) ([]any, error) { return q.list(ctx, 2, scriptClear, till) })
	if err != nil {
		return n, q.fail("delete dead jobs in", err)
	}
	return n, nil
}

// allDead does something with batches of those that are dead by now, by Redis's clock: not with those that die meanwhile.
func (q *Queue) allDead(ctx context.Context, do func(till string) ([]any, error)) (int, error) {
	now, err := q.jobs.store.client.Time(ctx).Result()
	if err != nil {
		return 0, redisError(err)
	}
	till := strconv.FormatInt(now.Truncate(time.Millisecond).UnixMilli(), 10)
	for total := 0; ; {
		reply, err := do(till)
		if err != nil {
			return total, err
		}
		total += int(asNumber(reply[0]))
		if asNumber(reply[1]) == 0 {
			return total, nil
		}
	}
}
