package worker

import (
	"context"
	"log/slog"
	"time"
)

const (
	guardEvery   = 100 * time.Millisecond
	cutOffAfter  = 500 * time.Millisecond // without any lane: nobody knows whether we live
	silentSelf   = 3 * time.Second        // without a heartbeat: others wait silentOther
	silentOther  = 4 * time.Second
	beatEvery    = time.Second
	auditEvery   = 3 * time.Second // longer than a command may be under way
	tendAfter    = 100 * time.Millisecond
	longestPause = beatEvery
)

// beat notes that Redis took a heartbeat, and when that had left.
func (in *intake) beat(left time.Time) { in.beaten.Store(int64(left.Sub(in.pool.started))) }

// silent is for how long Redis has not taken a heartbeat. Others judge by those of each queue.
func (in *intake) silent() time.Duration {
	return time.Since(in.pool.started) - time.Duration(in.beaten.Load())
}

// guard ends the contexts of all handlers while others may think that this worker is gone, before they do.
func (p *Pool) guard(ctx context.Context) {
	ticker := time.NewTicker(guardEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		unreachable := p.jobs.bus.Unreachable()
		for _, in := range p.intakes {
			in.guard(cutOff(unreachable, in.silent()))
		}
	}
}

// cutOff reports whether others may think that a worker is gone which has had no lane for so long, and no heartbeat taken by a queue.
func cutOff(unreachable, silent time.Duration) bool {
	return unreachable > cutOffAfter || silent > silentSelf
}

// guard raises the fence, or lifts it.
func (in *intake) guard(cut bool) {
	switch {
	case cut == (in.fenced != nil): // which nobody else writes
	case cut:
		in.log.Warn("worker is cut off from Redis: its handlers are cancelled", slog.Duration("silent", in.silent()))
		in.fence(ErrLeaseLost)
	default:
		in.fence(nil)
	}
}

// tend is an intake's heartbeat. It also has delayed jobs wait in line when they are due, and audits what Redis says is ours.
func (in *intake) tend(ctx context.Context) {
	var audited time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-in.poked:
		case <-ctx.Done():
			return
		}
		pause := in.tendOnce(ctx)
		if time.Since(audited) >= auditEvery {
			audited = time.Now()
			in.audit(ctx)
		}
		timer.Reset(pause)
	}
}

// tendOnce returns when the next is due.
func (in *intake) tendOnce(ctx context.Context) time.Duration {
	left := time.Now()
	reply, err := in.jobs.store.list(ctx, 4, scriptTend, in.queue.base, string(in.pool.id))
	if err != nil {
		in.log.Debug("no heartbeat", slog.Any("error", err))
		return tendAfter
	}
	in.beat(left)
	now, known, due, more := asNumber(reply[0]), asNumber(reply[1]), asNumber(reply[2]), asNumber(reply[3])
	select {
	case <-in.registered:
		if known == 0 { // it was taken for dead, and all it had was taken over
			in.log.Warn("worker was taken for dead: its handlers are cancelled")
			in.lose()
		}
	default:
		close(in.registered)
	}
	_ = in.queue.announce(ctx) // it only serves listing
	switch {
	case more == 1:
		return 0
	case due == 0:
		return longestPause
	}
	return min(max(time.Duration(due-now)*time.Millisecond, time.Millisecond), longestPause)
}

// audit looks for entries that were delivered to this worker by answers that it never got. An answer may still be on its way, so
// an entry must be unknown twice, further apart than a command can take.
func (in *intake) audit(ctx context.Context) {
	most := 2*(in.opts.concurrency+in.opts.prefetch) + 100
	ctx, cancel := context.WithTimeout(ctx, beatEvery) // the next heartbeat waits for it
	defer cancel()
	found, err := in.jobs.store.run(ctx, scriptMine, in.queue.base, string(in.pool.id), most)
	if err != nil {
		return // again in a while
	}
	for _, at := range in.suspect(asList(found)) {
		stream := in.queue.base + "wait:" + lineNames[at.line-lineAgain]
		entries, err := in.jobs.store.client.XRange(ctx, stream, at.id, at.id).Result()
		if err != nil {
			return
		}
		e := entry{line: at.line, id: at.id}
		if len(entries) > 0 { // else it was deleted, and only has to be acknowledged
			id, _ := entries[0].Values["j"].(string)
			e.job = JobID(id)
		}
		in.log.Warn("a job was delivered and its delivery lost: starting it", slog.String("job", string(e.job)))
		in.heard([]entry{e})
	}
}

// suspect returns the entries that are unknown for the second time.
func (in *intake) suspect(parts []any) (twice []place) {
	in.mu.Lock()
	defer in.mu.Unlock()
	suspects := make(map[place]bool)
	for ; len(parts) > 1; parts = parts[2:] {
		at := place{line: asNumber(parts[0]), id: asText(parts[1])}
		switch {
		case in.known[at], at.line < lineAgain, int(at.line) > len(lineNames):
		case in.suspects[at]:
			twice = append(twice, at)
		default:
			suspects[at] = true
		}
	}
	in.suspects = suspects
	return twice
}
