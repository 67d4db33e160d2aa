package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
)

// verdicts is a receiver that counts results by kind.
type verdicts struct{ notSent, other atomic.Int64 }

func (v *verdicts) Receive(Message) {}
func (v *verdicts) Lane(LaneEvent)  {}
func (v *verdicts) Published(results []Result) {
	for _, r := range results {
		if errors.Is(r.Err, ErrNotSent) {
			v.notSent.Add(1)
		} else {
			v.other.Add(1)
		}
	}
}

// startOutbox runs an outbox alone, over the dialer given.
func startOutbox(t *testing.T, opts Options, r Receiver) *outbox {
	t.Helper()
	o, err := opts.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	to, err := parseTarget("redis://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMeters(nil)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	box := newOutbox(newDialer(to, &o), &o, m, func() int64 { return timeSince(begun) }, func(string) []string { return nil })
	box.receiver = r
	group := run.New(context.Background())
	group.Go(func() { box.run(group.Context(), group) })
	t.Cleanup(func() {
		box.close()
		group.Stop()
		group.Wait()
		box.abandon()
	})
	return box
}

// While Redis is away nothing piles up, whoever keeps publishing to whatever.
func TestOutageLeavesNothing(t *testing.T) {
	const packets = 50_000
	got := &verdicts{}
	refuse := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody there") }
	box := startOutbox(t, Options{Dial: refuse}, got)
	for i := range packets {
		p := Packet{Channel: fmt.Sprint("channel ", i), Payload: make([]byte, 100), Token: uint64(i + 1), Wait: true}
		if i%2 == 0 {
			p.Patience = 5 * time.Millisecond
		}
		if err := box.publish(t.Context(), &p); err != nil {
			t.Fatal(err)
		}
	}
	for got.notSent.Load() < packets {
		if !pause.For(t.Context(), time.Millisecond) || got.other.Load() > 0 {
			t.Fatalf("%d packets not sent, %d other results", got.notSent.Load(), got.other.Load())
		}
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	if box.packets != 0 || box.bytes != 0 || len(box.queue) != 0 || len(box.spare) > spareBatches {
		t.Errorf("left: %d packets, %d bytes, %d batches, %d spare", box.packets, box.bytes, len(box.queue), len(box.spare))
	}
}

// Patience ends while a dial hangs; a packet without patience hopes for the dial.
func TestPatienceEndsWhileDialing(t *testing.T) {
	got := &verdicts{}
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	box := startOutbox(t, Options{Dial: hang, CommandTimeout: time.Minute}, got)
	hopeful := Packet{Channel: "a", Token: 1}
	patient := Packet{Channel: "a", Token: 2, Patience: 20 * time.Millisecond}
	for _, p := range []*Packet{&hopeful, &patient} {
		if err := box.publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for got.notSent.Load() == 0 {
		if !pause.For(t.Context(), time.Millisecond) {
			t.Fatal("patience did not end")
		}
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	if box.packets != 1 {
		t.Errorf("%d packets wait for the dial", box.packets)
	}
}

// Callers that wait for room come in one after another, those who give up leave no hole, and Close lets all go.
func TestRoomIsFair(t *testing.T) {
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	box := startOutbox(t, Options{Dial: hang, CommandTimeout: time.Minute, OutboxPackets: 1}, &verdicts{})
	first := Packet{Channel: "a", Patience: time.Hour, Token: 1}
	if err := box.publish(t.Context(), &first); err != nil {
		t.Fatal(err)
	}
	second := Packet{Channel: "a", Token: 2}
	if err := box.publish(t.Context(), &second); !errors.Is(err, ErrFull) {
		t.Errorf("publish into a full outbox: %v", err)
	}
	gone, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the caller has gone")
	cancel(cause)
	third := Packet{Channel: "a", Token: 3, Wait: true}
	if err := box.publish(gone, &third); !errors.Is(err, cause) {
		t.Errorf("publish with a context that has ended: %v", err)
	}
	group := run.New(t.Context())
	errs := make(chan error, 10)
	for range cap(errs) {
		group.Go(func() { errs <- box.publish(group.Context(), &Packet{Channel: "a", Wait: true, Patience: time.Hour}) })
	}
	box.mu.Lock()
	for box.line.Len() < cap(errs) {
		box.mu.Unlock()
		if !pause.For(t.Context(), time.Millisecond) {
			t.Fatal("nobody waits")
		}
		box.mu.Lock()
	}
	box.releaseLocked(1, 0) // as when the first one has gone out
	box.mu.Unlock()
	if err := <-errs; err != nil {
		t.Errorf("publish once there is room: %v", err)
	}
	box.close()
	for range cap(errs) - 1 {
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Errorf("publish that waited while the relay was closed: %v", err)
		}
	}
	group.Stop()
	group.Wait()
}
