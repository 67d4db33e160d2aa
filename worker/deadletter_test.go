package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

func TestDeadLetters(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	healed := make(chan struct{})
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, what string) (string, error) {
			select {
			case <-healed:
				return what, nil
			default:
				return "", errors.New("no " + what + strings.Repeat("!", 2*maxErrorText))
			}
		}, RetryWith(soon))
	})
	var ids []JobID
	for i := range 5 {
		ids = append(ids, enqueue(t, q, fmt.Sprint(i), MaxAttempts(2)))
		until(t, "it is dead", func() bool { return info(t, q).Dead == int64(i+1) })
	}
	page, err := q.Dead(t.Context(), 1, 2)
	if err != nil || page.Total != 5 || len(page.Jobs) != 2 || page.Jobs[0].ID != ids[3] {
		t.Fatalf("%+v, %v; want the second newest first, of 5", page, err)
	}
	job := page.Jobs[0]
	if len(job.Attempts) != 2 || job.Attempts[1].Worker != "one" || !strings.HasPrefix(job.Attempts[1].Error, "no 3!!") ||
		!strings.HasSuffix(job.Attempts[1].Error, "bytes more)") || job.Attempts[0].Started.After(job.Attempts[0].Ended) ||
		time.Since(job.Died) > time.Minute || string(job.Body.Raw()) != `"3"` {
		t.Errorf("%+v", job)
	}
	var public struct {
		Jobs []struct {
			ID, Data string
			Attempts []struct{ Worker, Error string }
		}
		Total int
	}
	text, err := json.Marshal(page)
	if err == nil {
		err = json.Unmarshal(text, &public)
	}
	if err != nil || public.Total != 5 || public.Jobs[0].Data != "3" || public.Jobs[0].Attempts[0].Worker != "one" {
		t.Errorf("%s, %v", text, err)
	}
	if err := q.DeleteDead(t.Context(), ids[0]); err != nil {
		t.Error(err)
	}
	wantError(t, q.DeleteDead(t.Context(), ids[0]), ErrNoJob)
	wantError(t, q.RetryDead(t.Context(), ids[0]), ErrNoJob)
	close(healed)
	if err := q.RetryDead(t.Context(), ids[1]); err != nil {
		t.Error(err)
	}
	until(t, "it is done", func() bool { return info(t, q).Done == 1 })
	if all, err := q.RetryAllDead(t.Context()); err != nil || all != 3 {
		t.Errorf("%d retried, %v; want 3", all, err)
	}
	until(t, "all are done", func() bool { i := info(t, q); return i.Done == 4 && i.Dead == 0 })
}

func TestDeleteAllDead(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(context.Context, int) (int, error) { return 0, Reject(errTest) })
	})
	for range 150 {
		enqueue(t, q, 1)
	}
	until(t, "all are dead", func() bool { return info(t, q).Dead == 150 })
	if all, err := q.DeleteAllDead(t.Context()); err != nil || all != 150 {
		t.Errorf("%d deleted, %v; want 150", all, err)
	}
	if i := info(t, q); i.Dead != 0 || i.Died != 150 {
		t.Errorf("%+v", i)
	}
}

// awaitedTwice enqueues a job that both nodes await, and returns how it ends for each, once Redis knows both.
func awaitedTwice(t *testing.T, asker, doer *node, id JobID, state State, opts ...EnqueueOption) (ended, other chan error, g *run.Group) {
	t.Helper()
	q := asker.jobs.Queue("q")
	ended, other, g = make(chan error, 1), make(chan error, 1), newGroup(t)
	g.Go(func() {
		_, err := q.CallBody(within(t, 20*time.Second), "x", append(opts, WithID(id))...)
		ended <- err
	})
	until(t, "it is there", func() bool { job, err := q.Job(t.Context(), id); return err == nil && job.State == state })
	g.Go(func() {
		_, err := doer.jobs.Queue("q").Await(within(t, 20*time.Second), id)
		other <- err
	})
	until(t, "the other has joined", func() bool {
		k, _ := asker.client().HGet(t.Context(), q.base+"job:"+string(id), "k").Result()
		return len(strings.Fields(k)) == 2
	})
	return ended, other, g
}

// A job can be deleted whatever it does; those who await it end at once.
func TestDelete(t *testing.T) {
	asker, doer := shared(t, "asker"), shared(t, "doer")
	q := asker.jobs.Queue("q")
	begun, causes := make(chan struct{}, 1), make(chan error, 1)
	start := func() {
		doer.work(nil, func(p *Pool) {
			Handle(p, "q", func(ctx context.Context, _ string) (int, error) {
				begun <- struct{}{}
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return 0, ctx.Err()
			})
		})
	}
	quick := 0
	for _, state := range []State{StateWaiting, StateDelayed, StateRunning} {
		t.Run(string(state), func(t *testing.T) {
			var opts []EnqueueOption
			if state == StateDelayed {
				opts = append(opts, Delay(time.Hour))
			}
			if state == StateRunning {
				start()
			}
			id := JobID("job-" + state)
			ended, other, group := awaitedTwice(t, asker, doer, id, state, opts...)
			start := time.Now()
			if err := q.Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			wantError(t, receive(t, ended), ErrDeleted)
			wantError(t, receive(t, other), ErrDeleted)
			if time.Since(start) < lookEvery/2 {
				quick++
			}
			if state == StateRunning {
				receive(t, begun)
				wantError(t, receive(t, causes), ErrDeleted)
			}
			wantError(t, q.Delete(t.Context(), id), ErrNoJob)
			end(group)
		})
	}
	if quick == 0 { // a busy machine may hold one up
		t.Error("they were not told: each learnt of it by looking")
	}
	until(t, "nothing is left", func() bool { i := info(t, q); return i.Waiting+i.Running+i.Delayed+i.Dead == 0 })
}
