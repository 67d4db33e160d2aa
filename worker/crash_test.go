package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

// A mortal is a node that can die without a goodbye: all its connections end at once, and it can't open others.
type mortal struct {
	*node

	relay relay.Relay
}

func attachMortal(t *testing.T, name string) *mortal {
	t.Helper()
	url, prefix := redistest.Shared(t).URL(), redistest.Prefix(t)
	r, err := relay.OpenRedis(t.Context(), url, &relay.Options{Prefix: prefix, Lanes: 2, Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.New(t.Context(), r, &bus.Options{Name: name, Prefix: prefix, Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	jobs, err := Open(t.Context(), b, url, &Options{Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = jobs.Close() })
	return &mortal{&node{b, jobs, t}, r}
}

// die leaves the process running without a way to Redis, as a killed one would be.
func (m *mortal) die() {
	_ = m.jobs.store.close()
	_ = m.relay.Close()
}

// A killed worker's jobs run elsewhere within 2 s, before all others, and its completion counts for nothing.
func TestCrash(t *testing.T) {
	leak.Check(t)
	dying, heir := attachMortal(t, "dying"), shared(t, "heir")
	q := heir.jobs.Queue("q")
	begun, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	dying.work(&PoolOptions{Drain: -1}, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, what string) (string, error) {
			close(begun)
			<-release // whatever its context says
			return "by the dead", nil
		}, Concurrency(1))
	})
	id := enqueue(t, q, "precious", Keep(time.Minute))
	receive(t, begun)
	enqueue(t, q, "another")
	calmed := make(chan struct{})
	time.AfterFunc(calmAfter, func() { close(calmed) })
	order, why := make(chan string, 10), make(chan string, 10)
	heir.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, what string) (string, error) {
			order <- what
			if job, err := q.Job(ctx, id); what == "precious" && err == nil && len(job.Attempts) == 1 {
				why <- job.Attempts[0].Error
			}
			return "by the heir", nil
		}, Concurrency(1))
	})
	if first := receive(t, order); first != "another" {
		t.Fatalf("%q ran while its worker lived", first)
	}
	receive(t, calmed)
	died := time.Now()
	dying.die()
	if what := receive(t, order); what != "precious" {
		t.Fatalf("%q ran", what)
	}
	if took := time.Since(died); took < time.Second {
		t.Errorf("it ran elsewhere after %v, want about 1.7 s", took)
	}
	r, err := q.Await(within(t, 10*time.Second), id)
	if err != nil || string(r.Body.Raw()) != `"by the heir"` || r.Attempt != 2 {
		t.Fatalf("%+v, %v; want the second attempt, by the heir", r, err)
	}
	if text := receive(t, why); !strings.Contains(text, "its worker died") {
		t.Errorf("%s; want it taken over because its worker's connections ended, not because it fell silent", text)
	}
	until(t, "the dead worker is forgotten", func() bool { return info(t, q).Workers == 1 })
}

// A worker that was called dead while it lived can neither complete nor fail what others have taken over.
func TestStaleWorkerIsRefused(t *testing.T) {
	leak.Check(t)
	for _, says := range []string{"done", "failed", "rejected"} {
		t.Run(says, func(t *testing.T) {
			stale, heir := shared(t, "stale"), shared(t, "heir")
			q := heir.jobs.Queue("q")
			begun, release, cancelled := make(chan uint64, 1), make(chan struct{}), make(chan error, 1)
			r := stale.work(nil, func(p *Pool) {
				Handle(p, "q", func(ctx context.Context, _ int) (string, error) {
					job, _ := JobOf(ctx)
					begun <- job.Token
					<-release
					<-ctx.Done()
					cancelled <- context.Cause(ctx)
					return map[string]string{"done": "stale"}[says], map[string]error{"failed": errTest, "rejected": Reject(errTest)}[says]
				}, Concurrency(1))
			})
			id := enqueue(t, q, 1, Keep(time.Minute))
			token := receive(t, begun)
			// Held while the heir works, as a stopped process would be.
			in := heir.jobs.Pool(nil)
			Handle(in, "q", double)
			if n, err := in.intakes["q"].reap(t.Context(), r.pool.id, "", ErrLeaseLost, true); n != 1 || err != nil {
				t.Fatalf("took over %d, %v", n, err)
			}
			tokens := make(chan uint64, 1)
			heir.work(nil, func(p *Pool) {
				Handle(p, "q", func(ctx context.Context, _ int) (string, error) {
					job, _ := JobOf(ctx)
					tokens <- job.Token
					return "heir", nil
				})
			})
			if next := receive(t, tokens); next <= token {
				t.Errorf("token %d after %d", next, token)
			}
			until(t, "the heir's result stands", func() bool { _, err := q.Result(t.Context(), id); return err == nil })
			close(release)
			if cause := receive(t, cancelled); !errors.Is(cause, ErrLeaseLost) {
				t.Errorf("the stale handler's context ended with %v, want ErrLeaseLost", cause)
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if got, err := q.Result(t.Context(), id); err != nil || string(got.Body.Raw()) != `"heir"` {
				t.Errorf("%+v, %v; want the heir's result", got, err)
			}
			if i := info(t, q); i.Done != 1 || i.Died != 0 || i.Retried != 0 || i.Waiting+i.Running+i.Delayed != 0 {
				t.Errorf("%+v; want 1 done", i)
			}
		})
	}
}

// A job that kills its worker each time goes to the dead letters after its attempts, and names them all. A job that was only fetched
// ahead does not pay for it.
func TestPoisonJob(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	const tries = 3
	release := make(chan struct{})
	poison := enqueue(t, q, "poison", MaxAttempts(tries))
	for i := range tries {
		victim := attachMortal(t, fmt.Sprintf("victim-%d", i))
		begun := make(chan string, 2)
		r := victim.work(&PoolOptions{Drain: -1}, func(p *Pool) {
			Handle(p, "q", func(_ context.Context, what string) (string, error) {
				begun <- what
				<-release
				return what, nil
			}, Concurrency(1), Prefetch(1))
		})
		if what := receive(t, begun); what != "poison" {
			t.Fatalf("%q began", what)
		}
		if i == 0 {
			bystander := enqueue(t, q, "bystander", MaxAttempts(1))
			until(t, "the bystander is fetched ahead", func() bool {
				job, err := q.Job(t.Context(), bystander)
				return err == nil && job.State == StateRunning
			})
			defer func() {
				job, err := q.Job(t.Context(), bystander)
				if !errors.Is(err, ErrNoJob) {
					t.Errorf("%+v, %v; want the bystander done at its only attempt", job, err)
				}
			}()
		}
		victim.die()
		takeOver(t, n, r.pool.id)
		if i == 0 { // the bystander is done by others while the poison waits
			pauseAllBut(t, n, "bystander")
		}
	}
	close(release)
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, what string) (string, error) { return what, errors.New("it ran") })
	})
	until(t, "it is dead", func() bool { return info(t, q).Dead == 1 })
	job, err := q.Job(t.Context(), poison)
	if err != nil || job.State != StateDead || job.Attempt != tries || len(job.Attempts) != tries+1 {
		t.Fatalf("%+v, %v; want it dead after %d attempts, besides the one that was given back", job, err, tries)
	}
	for i, a := range slices.Delete(job.Attempts, 1, 2) {
		if a.Worker != fmt.Sprintf("victim-%d", i) || !strings.Contains(a.Error, "died") {
			t.Errorf("%+v; want the death of victim-%d", a, i)
		}
	}
}

// takeOver takes over from a worker as if it had been found dead.
func takeOver(t *testing.T, n *node, id workerID) {
	t.Helper()
	p := n.jobs.Pool(nil)
	Handle(p, "q", double)
	why := fmt.Errorf("%w: its worker died", ErrLeaseLost)
	if _, err := p.intakes["q"].reap(t.Context(), id, "", why, true); err != nil {
		t.Fatal(err)
	}
}

// pauseAllBut works at the queue until the one job is done, and gives back all others untouched.
func pauseAllBut(t *testing.T, n *node, what string) {
	t.Helper()
	q := n.jobs.Queue("q")
	done := make(chan struct{})
	r := n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, is string) (string, error) {
			if is == what {
				close(done)
				return is, nil
			}
			<-ctx.Done()
			return "", context.Cause(ctx)
		})
		p.opts.Drain = -1
	})
	receive(t, done)
	until(t, "it is done", func() bool { return info(t, q).Done == 1 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// What was delivered by an answer that never came is found, and started.
func TestLostDelivery(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	id := enqueue(t, q, "x")
	got := make(chan int, 1)
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ string) (int, error) {
			job, _ := JobOf(ctx)
			got <- job.Attempt
			return 0, nil
		})
		// The answers to these reached nobody.
		taken, err := n.jobs.store.list(t.Context(), 6, scriptExchange, q.base, string(p.id), 0, 0, 1, 1, 1, lineNormal, 1)
		if err != nil || len(asList(taken[5])) != jobParts {
			t.Errorf("%v, %v", taken, err)
		}
	})
	if attempt := receive(t, got); attempt != 1 {
		t.Errorf("attempt %d, want the first: it never ran", attempt)
	}
	until(t, "it is done", func() bool { _, err := q.Job(t.Context(), id); return errors.Is(err, ErrNoJob) })
}

// An exchange whose answer was lost is repeated, and counts once.
func TestSettlingTwice(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	for kind, parts := range map[string][]any{"d": {"60000", "r"}, "r": {"0", "1", line("one", errTest)},
		"x": {"dead", "r", line("one", errTest)},
	} {
		id := enqueue(t, q, "x", WithID(JobID("job-"+kind)))
		taken, err := n.jobs.store.list(t.Context(), 6, scriptExchange, q.base, "w", 0, 0, 1, 1, 2, lineAgain, 1, lineNormal, 1)
		if err != nil {
			t.Fatal(err)
		}
		job := asList(taken[5])
		args := append([]any{"w", 1, kind, job[0], job[1], job[2], job[4]}, parts...)
		var verdicts []any
		for range 2 {
			reply, err := n.jobs.store.list(t.Context(), 6, scriptExchange, q.base, append(args, 0, 0, 0)...)
			if err != nil {
				t.Fatal(err)
			}
			verdicts = append(verdicts, asList(reply[4])[0])
		}
		if asNumber(verdicts[0]) != settledAccepted || asNumber(verdicts[1]) != settledBefore {
			t.Errorf("%s: %v; want it accepted, then known as accepted", kind, verdicts)
		}
		if err := q.Delete(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if i := info(t, q); i.Done != 1 || i.Retried != 1 || i.Died != 1 {
		t.Errorf("%+v; want 1 done, 1 retried, 1 died", i)
	}
}

// A job that is deleted and enqueued again under its ID is another job: an attempt at the first says nothing about it.
func TestAttemptAtADeletedJob(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	begun, release := make(chan uint64, 2), make(chan struct{})
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, what string) (string, error) {
			job, _ := JobOf(ctx)
			begun <- job.Token
			<-release // whatever its context says
			return what, nil
		}, Concurrency(2))
	})
	enqueue(t, q, "first", WithID("x"))
	first := receive(t, begun)
	if err := q.Delete(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, "second", WithID("x"))
	if second := receive(t, begun); second <= first {
		t.Errorf("token %d after %d", second, first)
	}
	close(release)
	r, err := q.Await(within(t, 10*time.Second), "x")
	if err != nil || string(r.Body.Raw()) != `"second"` {
		t.Errorf("%+v, %v; want the second job's result", r, err)
	}
}

// An entry that was taken over while it was held is not given back a second time.
func TestGivingBackWhatIsNoLongerOurs(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	enqueue(t, q, 1)
	for _, line := range lineNames {
		if err := n.client().XGroupCreateMkStream(t.Context(), q.base+"wait:"+line, groupName, "0").Err(); err != nil {
			t.Fatal(err)
		}
	}
	streams, err := n.client().XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: groupName, Consumer: "w", Count: 1,
		Streams: []string{q.base + "wait:normal", ">"}}).Result()
	if err != nil {
		t.Fatal(err)
	}
	m := streams[0].Messages[0]
	takeOver(t, n, "w")
	for range 2 {
		_, err := n.jobs.store.list(t.Context(), 6, scriptExchange, q.base, "w", 1, "g", lineNormal, m.ID, m.Values["j"], 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
	}
	if i := info(t, q); i.Waiting != 1 || i.Running != 0 {
		t.Errorf("%+v; want it waiting once", i)
	}
}
