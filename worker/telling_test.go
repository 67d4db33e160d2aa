package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

// A node that does not answer is told one thing at a time, now and then, until it answers; others are told as ever.
func TestDeafNode(t *testing.T) {
	told, now := newTellings(), time.Now()
	deaf, other := uuid.New(), uuid.New()
	begin := func(node uuid.UUID, at time.Time) bool { tell, _ := told.begin(node, at); return tell }
	for range 3 {
		if !begin(deaf, now) {
			t.Fatal("not told before anything is known of it")
		}
	}
	for range 3 {
		told.end(deaf, fmt.Errorf("wrapped: %w", context.DeadlineExceeded), now)
	}
	if begin(deaf, now) || !begin(other, now) {
		t.Error("want the deaf node left alone, and the other told")
	}
	later := now.Add(deafFor)
	if !begin(deaf, later) || begin(deaf, later) {
		t.Error("want the deaf node tried with one notice")
	}
	told.end(deaf, nil, later)
	for range 2 {
		if !begin(deaf, later) {
			t.Error("want it told again once it has answered")
		}
	}
	told.end(deaf, bus.ErrNoReceiver, later)
	told.end(deaf, bus.ErrNoReceiver, later)
	select {
	case <-told.ended():
		t.Error("ended while a notice is under way")
	default:
	}
	told.end(other, nil, later)
	<-told.ended()
	if len(told.to) != 0 {
		t.Errorf("%d nodes are remembered, want none", len(told.to))
	}
}

// Too many notices under way hold up those who have more; reports of progress give way.
func TestManyTellings(t *testing.T) {
	told := newTellings()
	for i := range maxTelling + 1 {
		if tell, full := told.begin(uuid.New(), time.Now()); !tell || full != (i == maxTelling) {
			t.Fatalf("notice %d: told %t, full %t", i, tell, full)
		}
	}
}

// A program that deletes a job and ends at once has told the worker, and who awaits it.
func TestDeleteTellsBeforeItReturns(t *testing.T) {
	leak.Check(t)
	url, prefix := redistest.Shared(t).URL(), redistest.Prefix(t)
	asker, doer := attach(t, url, prefix, "asker"), attach(t, url, prefix, "doer")
	begun, causes := make(chan struct{}), make(chan error, 1)
	doer.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ int) (int, error) {
			close(begun)
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return 0, ctx.Err()
		})
	})
	ended := make(chan error, 1)
	group := newGroup(t)
	group.Go(func() {
		_, err := asker.jobs.Queue("q").CallBody(within(t, 20*time.Second), 1, WithID("x"))
		ended <- err
	})
	receive(t, begun)
	brief := attach(t, url, prefix, "brief")
	if err := brief.jobs.Queue("q").Delete(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(brief.jobs.Close(), brief.bus.Close()); err != nil {
		t.Fatal(err)
	}
	wantError(t, receive(t, ended), ErrDeleted)
	wantError(t, receive(t, causes), ErrDeleted)
	end(group)
}

// A call whose job is on fewer replicas than asked has its result, and is told so.
func TestCallDurable(t *testing.T) {
	n := shared(t, "one")
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, i int) (int, error) {
			if i < 0 {
				return 0, Reject(errTest)
			}
			return 2 * i, nil
		})
	})
	q := n.jobs.Queue("q")
	got, err := Call[int](within(t, 20*time.Second), q, 4, Durable(1))
	lacking, ok := errors.AsType[*NotDurableError](err)
	if got != 8 || !ok || lacking.Wanted != 1 || lacking.Reached != 0 {
		t.Errorf("%d, %v; want 8, on 0 of 1 replicas", got, err)
	}
	r, err := q.CallBody(within(t, 20*time.Second), -4, Durable(1))
	if _, ok := errors.AsType[*NotDurableError](err); r == nil || !ok || !errors.Is(err, ErrDead) {
		t.Errorf("%+v, %v; want it dead, and on too few replicas", r, err)
	}
}
