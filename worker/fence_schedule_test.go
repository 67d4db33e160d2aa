package worker

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// A fenceDeed is something that is done at a queue.
type fenceDeed string

const (
	fenceEnqueue  fenceDeed = "a job is enqueued"
	fenceFetch    fenceDeed = "asks for jobs"
	fenceListen   fenceDeed = "a blocking read brings jobs"
	fenceBegin    fenceDeed = "starts what was brought"
	fenceAudit    fenceDeed = "asks what it has"
	fenceDone     fenceDeed = "completes a job"
	fenceAgain    fenceDeed = "fails at a job"
	fenceDead     fenceDeed = "rejects a job"
	fenceBegun    fenceDeed = "begins what it fetched ahead"
	fenceGiveBack fenceDeed = "gives back what was brought"
	fenceRepeat   fenceDeed = "repeats what was not answered"
	fenceBeat     fenceDeed = "sends a heartbeat"
	fenceSeen     fenceDeed = "is looked at by the others"
	fenceTaken    fenceDeed = "is taken for gone, as it was seen"
	fenceKilled   fenceDeed = "is killed, and another one comes"
	fenceDelete   fenceDeed = "a job is deleted"
	fenceFlush    fenceDeed = "Redis is emptied"
	fenceAhead    fenceDeed = "Redis's clock is set forward"
	fenceBack     fenceDeed = "Redis's clock is set back"
)

// A fenceStep is one of them, by one of the workers, at one of its jobs. Its answer may be lost.
type fenceStep struct {
	What  fenceDeed
	Who   int
	Which int
	Lost  bool
}

func (s fenceStep) String() string {
	lost := ""
	if s.Lost {
		lost = ", and the answer is lost"
	}
	return fmt.Sprintf("%d: %s (%d)%s", s.Who, s.What, s.Which, lost)
}

func drawFenceSteps(seed uint64) []fenceStep {
	chance := rand.New(rand.NewPCG(seed, 9))
	all := []fenceDeed{fenceEnqueue, fenceEnqueue, fenceEnqueue, fenceFetch, fenceFetch, fenceFetch, fenceListen, fenceListen, fenceBegin,
		fenceBegin, fenceAudit, fenceDone, fenceDone, fenceAgain, fenceAgain, fenceDead, fenceBegun, fenceGiveBack, fenceRepeat,
		fenceRepeat, fenceBeat, fenceBeat, fenceSeen, fenceTaken, fenceTaken, fenceKilled, fenceDelete, fenceFlush, fenceAhead, fenceBack}
	steps := []fenceStep{{What: fenceEnqueue}}
	for range 8 + chance.IntN(24) {
		steps = append(steps, fenceStep{all[chance.IntN(len(all))], chance.IntN(3), chance.IntN(4), chance.IntN(3) == 0})
	}
	return steps
}

// playFence plays a schedule and returns what was wrong.
func playFence(redis *scripted, steps []fenceStep) string {
	w := newFenceWorld(redis)
	for _, s := range steps {
		w.advance(50 * time.Millisecond)
		w.befall(s)
		if w.wrong != "" {
			return w.wrong
		}
	}
	w.finish()
	return w.wrong
}

// befall lets a step happen.
func (w *fenceWorld) befall(s fenceStep) {
	p := w.workers[s.Who%len(w.workers)]
	switch s.What {
	case fenceEnqueue:
		w.enqueue(s.Which)
	case fenceDelete:
		w.remove(s.Which)
	case fenceFlush:
		w.redis.mini.FlushAll()
		clear(w.jobs)
	case fenceAhead:
		w.advance(time.Minute)
	case fenceBack:
		w.back++
		w.advance(-time.Minute)
	case fenceSeen:
		p.seen, _ = w.redis.mini.ZScore(fenceBase+"workers", p.name)
	case fenceTaken:
		if p.seen == 0 { // not seen before: as it stands
			w.audit(w.workers[(s.Who+1)%len(w.workers)]) // which makes it known if it has something
			p.seen, _ = w.redis.mini.ZScore(fenceBase+"workers", p.name)
		}
		w.reap(p.name, text(int64(p.seen)))
		p.seen = 0
	case fenceKilled:
		w.named++
		w.workers[s.Who%len(w.workers)] = newFenceWorker(w.named)
	default:
		p.befall(w, s)
	}
}

// befall lets a step of one worker's happen.
func (p *fenceWorker) befall(w *fenceWorld, s fenceStep) {
	switch s.What {
	case fenceFetch:
		w.exchange(p, nil, nil, 1+s.Which, 1, s.Lost)
	case fenceListen:
		w.listen(p, s.Lost)
	case fenceBegin:
		held := p.held
		p.held = nil
		w.exchange(p, nil, held, 0, s.Which%2, s.Lost)
	case fenceAudit:
		w.audit(p)
	case fenceGiveBack:
		p.giveBack(w)
	case fenceBeat:
		w.redis.run(scriptTend, fenceBase, p.name)
	case fenceRepeat:
		words := p.unanswered
		p.unanswered = nil
		w.exchange(p, words, nil, 0, 0, s.Lost)
	default:
		if len(p.running) == 0 {
			return
		}
		i := s.Which % len(p.running)
		a := p.running[i]
		if s.What != fenceBegun {
			p.running = append(p.running[:i:i], p.running[i+1:]...)
		}
		w.exchange(p, []*fenceWord{fenceWordOf(s, a)}, nil, 0, 0, s.Lost)
	}
}

// fenceWordOf is what a worker says of an attempt.
func fenceWordOf(s fenceStep, a *fenceAttempt) *fenceWord {
	word := &fenceWord{entry: a.entry, token: a.token, attempt: a}
	switch s.What {
	case fenceDone:
		word.kind, word.parts = "d", []any{[]int{0, 60_000}[s.Which/2], "result"}
	case fenceAgain:
		word.kind, word.parts = "r", []any{[]int{0, 200}[s.Which%2], []string{"1", "lost"}[s.Which/2], "failed\n"}
	case fenceDead:
		word.kind, word.parts = "x", []any{"code", "notice", "rejected\n"}
	default:
		word.kind = "b"
	}
	return word
}

// TestFenceSchedules plays many schedules on the scripts. One that fails is shrunk; ACKBUS_WORKER_FENCE_SEED plays it again.
func TestFenceSchedules(t *testing.T) {
	redis := newScripted(t)
	done := 0
	relaytest.Schedules(t, "ACKBUS_WORKER_FENCE_SEED", relaytest.Many(fenceSchedules, fenceSchedules/10), drawFenceSteps,
		func(_ uint64, steps []fenceStep) string {
			done++
			return playFence(redis, steps)
		})
	if done == 0 {
		t.Error("nothing was played")
	}
}

const fenceSchedules = 1500
