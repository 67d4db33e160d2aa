package worker

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// A plan is what one exchange says and asks.
type plan struct {
	settlings []settling
	held      []entry
	want      int // jobs beyond those held
	starts    int // how many of all may begin at once
}

// exchangeAll exchanges until the pool ends. Two of them run for each intake.
func (in *intake) exchangeAll(ctx context.Context) {
	for {
		p, ok := in.plan(ctx)
		if !ok {
			return
		}
		reply, err := in.jobs.store.list(ctx, 6, scriptExchange, in.queue.base, in.exchangeArgs(&p)...)
		if err != nil {
			in.failed(&p, err)
			continue
		}
		in.apply(&p, reply)
	}
}

// plan waits until there is something to exchange.
func (in *intake) plan(ctx context.Context) (plan, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		if ctx.Err() != nil {
			return plan{}, false
		}
		if p, ok := in.planLocked(time.Now()); ok {
			return p, true
		}
		in.work.Wait()
		in.mu.Unlock()
		runtime.Gosched() // more jobs may be about to end: they go along
		in.mu.Lock()
	}
}

// gathersLocked reports whether what has finished waits for more: while one exchange is under way, a third of the places go along with the
// other. Fewer would have both carry few jobs, and for more Redis would wait. A job that was delivered and waits to be started waits for
// nothing else.
func (in *intake) gathersLocked() bool {
	return in.under > 0 && len(in.held) == 0 && len(in.finished) < in.opts.concurrency/3
}

func (in *intake) planLocked(now time.Time) (plan, bool) {
	if now.Before(in.quietTill) || in.gathersLocked() {
		return plan{}, false
	}
	places := in.placesLocked()
	in.giveBackLocked(places)
	var p plan
	if places > 0 && in.mayTakeLocked(now) && (in.hungry || len(in.held) > 0) {
		p.held, in.held = in.held, nil
		p.want = places - len(p.held)
		p.starts = max(in.opts.concurrency-in.runningLocked()-in.reserved, 0)
	}
	if len(in.finished) == 0 && p.want == 0 && len(p.held) == 0 {
		return plan{}, false
	}
	if p.settlings, in.finished = cut(in.finished); len(in.finished) > 0 {
		in.work.Signal()
	}
	in.reserved += p.want + len(p.held)
	in.under++
	return p, true
}

// What one exchange says at most: Redis has to take it in, and answer, within commandTimeout.
const (
	mostSettlings    = 4096
	mostSettledBytes = 4 << 20
)

// cut takes as many settlings from the front as one exchange may carry.
func cut(finished []settling) (now, later []settling) {
	bytes := 0
	for i := range finished {
		if i == mostSettlings || bytes >= mostSettledBytes {
			return finished[:i:i], finished[i:]
		}
		for _, part := range finished[i].parts {
			bytes += len(part)
		}
	}
	return finished, nil
}

// giveBackLocked gives back entries that this pool has no place for: others may.
func (in *intake) giveBackLocked(places int) {
	keep := max(places, 0)
	if in.draining {
		keep = 0
	}
	for len(in.held) > keep {
		last := len(in.held) - 1
		in.finished = append(in.finished, settling{kind: 'g', entry: in.held[last]})
		in.held = in.held[:last]
	}
}

func (in *intake) exchangeArgs(p *plan) []any {
	args := make([]any, 0, 16+8*len(p.settlings)+3*len(p.held))
	args = append(args, string(in.pool.id), len(p.settlings))
	for i := range p.settlings {
		s := &p.settlings[i]
		args = append(args, string(s.kind), s.entry.line, s.entry.id, string(s.entry.job), s.token)
		switch s.kind {
		case 'd':
			args = append(args, s.parts[0], s.parts[1])
		case 'r', 'x':
			args = append(args, s.parts[0], s.parts[1], s.parts[2])
		}
	}
	args = append(args, len(p.held))
	for _, e := range p.held {
		args = append(args, e.line, e.id, string(e.job))
	}
	args = append(args, p.want, p.starts)
	if p.want == 0 {
		return append(args, 0)
	}
	args = append(args, lineLow)
	in.mu.Lock()
	split := in.turn.split(p.want)
	in.mu.Unlock()
	for i, n := range split {
		args = append(args, lineAgain+i, n)
	}
	return args
}

// failed puts back what an exchange wanted to say. What it took is found by the audit, if it was carried out.
func (in *intake) failed(p *plan, err error) {
	_, refused := errors.AsType[redis.Error](err)
	unsent := refused || errors.Is(err, ErrUnavailable)
	const first, longest = 20 * time.Millisecond, time.Second
	in.mu.Lock()
	for i := range p.settlings {
		p.settlings[i].tried = p.settlings[i].tried || !unsent
	}
	in.finished = append(p.settlings, in.finished...)
	in.held = append(p.held, in.held...)
	in.reserved -= p.want + len(p.held)
	in.under--
	in.hungry = true
	in.pause = min(max(2*in.pause, first), longest)
	pause := in.pause
	in.quietTill = time.Now().Add(pause)
	in.mu.Unlock()
	in.log.Warn("no exchange with Redis", slog.Any("error", err))
	time.AfterFunc(pause, in.wakeAll)
}

// apply takes an answer in.
func (in *intake) apply(p *plan, reply []any) {
	poke, verdicts := asNumber(reply[3]), asList(reply[4])
	in.mu.Lock()
	begin := in.applyLocked(p, reply)
	for i := range min(len(p.settlings), len(verdicts)) {
		if asNumber(verdicts[i]) == settledWantsResult {
			in.withResultLocked(p.settlings[i])
		}
	}
	in.mu.Unlock()
	for _, a := range begin {
		in.start(a)
	}
	if poke == 1 {
		in.pool.poke(in)
	}
	for i := range p.settlings {
		if i < len(verdicts) && asNumber(verdicts[i]) != settledWantsResult {
			in.settled(&p.settlings[i], verdicts[i])
		}
	}
}

// withResultLocked completes a job once more: somebody awaits it since it was started, and its result had been left out.
func (in *intake) withResultLocked(s settling) {
	s.parts[1] = string(s.n.encode())
	in.known[s.entry.place()] = true
	in.finished = append(in.finished, s)
	in.work.Signal()
}

// applyLocked brings the books up to date, and returns the attempts that are to begin.
func (in *intake) applyLocked(p *plan, reply []any) (begin []*attempt) {
	now, wait, taken := asNumber(reply[0]), time.Duration(asNumber(reply[1]))*time.Millisecond, asList(reply[5])
	in.pause, in.quietTill = 0, time.Time{}
	in.reserved -= p.want + len(p.held)
	in.under--
	for i := range p.settlings {
		if p.settlings[i].kind != 'b' {
			delete(in.known, p.settlings[i].entry.place())
		}
	}
	dealt := min(int(asNumber(reply[2])), len(p.held))
	for _, e := range p.held[:dealt] {
		delete(in.known, e.place()) // it is known again below where it was started
	}
	in.held = append(p.held[dealt:], in.held...)
	if len(reply) > 6 {
		in.holdLocked(asList(reply[6]))
	}
	for i := 0; i+jobParts <= len(taken); i += jobParts {
		if a := in.takeLocked(taken[i:i+jobParts], now, i/jobParts >= p.starts); a != nil {
			begin = append(begin, a)
		}
	}
	if wait > 0 {
		in.notBefore = time.Now().Add(wait)
		time.AfterFunc(wait, in.wakeAll)
	} else if p.want > 0 && len(taken)/jobParts < p.want && len(in.held) == 0 {
		in.hungry = false
		in.listen.Signal()
	}
	if len(in.finished) > 0 || in.hungry || len(in.held) > 0 {
		in.work.Signal()
	}
	return begin
}

// holdLocked keeps entries that were delivered and not started, because the answer was full.
func (in *intake) holdLocked(parts []any) {
	for ; len(parts) > 2; parts = parts[3:] {
		e := entry{line: asNumber(parts[0]), id: asText(parts[1]), job: JobID(asText(parts[2]))}
		in.known[e.place()] = true
		in.held = append(in.held, e)
	}
}

// jobParts is how many parts a job in an answer has: line, entry, ID, spec, token, attempt, askers, flags.
const jobParts = 8

// takeLocked makes an attempt of a job in an answer. It returns it where it is to begin at once.
func (in *intake) takeLocked(part []any, now int64, ahead bool) *attempt {
	e := entry{line: asNumber(part[0]), id: asText(part[1]), job: JobID(asText(part[2]))}
	a := newAttempt(in, e, asText(part[3]), uint64(asNumber(part[4])), int(asNumber(part[5])), now)
	a.askers, a.expired, a.marked = asText(part[6]), asNumber(part[7]) == 1, ahead
	in.known[e.place()] = true
	in.active[e.job] = a
	in.taken++
	switch {
	case in.draining || in.fenced != nil:
		in.returnLocked(a)
	case in.runningLocked() < in.opts.concurrency || a.hopeless() != "":
		in.beginLocked(a)
		return a
	default:
		in.ahead = append(in.ahead, a)
	}
	return nil
}

// beginLocked counts an attempt as running, and tells Redis where it had been fetched ahead.
func (in *intake) beginLocked(a *attempt) {
	in.runs++
	a.begun = true
	if a.marked {
		in.finished = append(in.finished, settling{kind: 'b', entry: a.entry, token: a.job.Token})
	}
}

// The verdicts of a settling, as the script says them; a text is who awaits the job, and means accepted too.
const (
	settledFenced = iota
	settledAccepted
	settledGone
	settledBefore
	settledWantsResult
)

// settled does what follows from a verdict: counting, telling, warning.
func (in *intake) settled(s *settling, verdict any) {
	askers, accepted := verdict.(string)
	what := asNumber(verdict)
	if s.kind == 'g' || s.kind == 'b' {
		return
	}
	switch {
	case accepted, what == settledAccepted, what == settledBefore, what == settledGone && s.tried:
		in.count(s)
	case what == settledGone:
		in.jobs.metrics.count(in.queue.name, outcomeDeleted, s.ran)
	case s.tried: // it may have been accepted, and the job be under way again
		in.jobs.metrics.count(in.queue.name, outcomeFenced, s.ran)
		return
	default:
		in.jobs.metrics.count(in.queue.name, outcomeFenced, s.ran)
		in.log.Warn("a stale worker was refused: another has the job", slog.String("job", string(s.entry.job)),
			slog.Uint64("token", s.token))
		return
	}
	if accepted && s.n.id != "" {
		in.jobs.tell(in.queue.name, askers, &s.n)
	}
}

func (in *intake) count(s *settling) {
	switch {
	case s.kind == 'd':
		in.ran.Observe(s.ran.Seconds())
	case s.kind == 'x':
		in.jobs.metrics.count(in.queue.name, outcomeDead, s.ran)
		in.log.Warn("job is dead", slog.String("job", string(s.entry.job)), slog.String("error", s.logged))
	case s.parts[1] != "1":
		in.jobs.metrics.count(in.queue.name, outcomeReturned, s.ran)
	default:
		in.jobs.metrics.count(in.queue.name, outcomeRetried, s.ran)
		in.log.Info("attempt failed", slog.String("job", string(s.entry.job)), slog.String("error", s.logged))
	}
}

func text(n int64) string { return strconv.FormatInt(n, 10) }
