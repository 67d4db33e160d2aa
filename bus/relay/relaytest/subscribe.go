package relaytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

func testPattern(t *testing.T, f Factory) {
	cases := []struct{ pattern, matches, differs string }{
		{`:any:*`, ":any:thing", ":some"},
		{`:o?e`, ":one", ":oe"},
		{`:[a-c]x`, ":bx", ":dx"},
		{`:[^a-c]y`, ":dy", ":by"},
		{`:li\*teral`, ":li*teral", ":liXteral"},
		{`:*mid*le`, ":in the middle", ":in the midst"},
	}
	a, b := start(t, f, Options{}), start(t, f, Options{})
	base := unique(f)
	for _, c := range cases {
		release := b.hold(t, relay.Channel{Name: base + c.pattern, Pattern: true})
		if got := a.count(t, base+c.matches); got != 1 {
			t.Errorf("%s: count of %s is %d", c.pattern, c.matches, got)
		}
		if got := a.count(t, base+c.differs); got != 0 {
			t.Errorf("%s: count of %s is %d", c.pattern, c.differs, got)
		}
		b.got.items(t, base+c.matches, 1)
		if m := b.got.payloads(base + c.matches)[0]; m.Pattern != base+c.pattern {
			t.Errorf("%s: the message says %q", c.pattern, m.Pattern)
		}
		release()
	}
}

func testBoth(t *testing.T, f Factory) {
	a, b := start(t, f, Options{}), start(t, f, Options{})
	name := unique(f)
	pattern := strings.TrimSuffix(name, name[len(name)-4:]) + "????"
	b.subscribe(t, name)
	b.hold(t, relay.Channel{Name: pattern, Pattern: true})
	if got := a.count(t, name); got != 2 {
		t.Errorf("count %d, want 2", got)
	}
	b.got.items(t, name, 2)
	var patterns []string
	for _, m := range b.got.payloads(name) {
		patterns = append(patterns, m.Pattern)
	}
	slices.Sort(patterns)
	if !slices.Equal(patterns, []string{"", pattern}) {
		t.Errorf("patterns %q", patterns)
	}
}

func testLinger(t *testing.T, f Factory) {
	a, b := start(t, f, Options{}), start(t, f, Options{Linger: lingering})
	for _, ch := range []relay.Channel{{Name: unique(f)}, {Name: unique(f) + "*", Pattern: true}} {
		name := strings.TrimSuffix(ch.Name, "*")
		release := b.hold(t, ch)
		released := time.Now()
		release()
		a.awaitCount(t, name, 0)
		if took := time.Since(released); took < lingering {
			t.Errorf("%v was given up after %v, want at least %v", ch, took, lingering)
		}
	}
}

// testAgain waits for another channel, released at the same time, to be given up.
func testAgain(t *testing.T, f Factory) {
	a, b := start(t, f, Options{}), start(t, f, Options{Linger: lingering})
	kept, other := unique(f), unique(f)
	first, second := b.subscribe(t, kept), b.subscribe(t, other)
	first()
	again := b.subscribe(t, kept)
	second()
	a.awaitCount(t, other, 0)
	if got := a.count(t, kept); got != 1 {
		t.Errorf("count %d of a channel that is held again", got)
	}
	again()
	a.awaitCount(t, kept, 0)
	b.subscribe(t, kept)
	if got := a.count(t, kept); got != 1 {
		t.Errorf("count %d of a channel that is held once more", got)
	}
}

func testShared(t *testing.T, f Factory) {
	a, b := start(t, f, Options{}), start(t, f, Options{Linger: lingering})
	name, other := unique(f), unique(f)
	first, second, gone := b.subscribe(t, name), b.subscribe(t, name), b.subscribe(t, other)
	if got := a.count(t, name); got != 1 {
		t.Errorf("count %d of a channel that is held twice", got)
	}
	first()
	gone()
	a.awaitCount(t, other, 0)
	if got := a.count(t, name); got != 1 {
		t.Errorf("count %d after one of two releases", got)
	}
	second()
	a.awaitCount(t, name, 0)
}

// testConfirmed publishes from another node as soon as Subscribe has returned.
func testConfirmed(t *testing.T, f Factory) {
	const goroutines, each = 8, 50
	a, b := start(t, f, Options{}), start(t, f, Options{})
	base := unique(f)
	together(t, goroutines, func(g int) error {
		for k := range each {
			name := fmt.Sprintf("%s:%d", base, (g/2)*each+k) // two goroutines hold the same ones
			if _, err := b.Subscribe(t.Context(), relay.Channel{Name: name}); err != nil {
				return err
			}
			token := a.tokens.Add(1)
			p := relay.Packet{Channel: name, Payload: envelope(uint64(g), uint64(k), nil), Token: token, Wait: true}
			if err := a.Publish(t.Context(), p); err != nil {
				return err
			}
		}
		return nil
	})
	for _, r := range a.got.resultsOf(t, goroutines*each) {
		if r.Err != nil || r.Count != 1 {
			t.Fatalf("right after Subscribe: %+v", r)
		}
	}
}

// testCancelled ends contexts before, during and after the call.
func testCancelled(t *testing.T, f Factory) {
	const number = 40
	a, b := start(t, f, Options{}), start(t, f, Options{Linger: lingering})
	base := unique(f)
	together(t, number, func(i int) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i-1)*50*time.Microsecond)
		defer cancel()
		release, err := b.Subscribe(ctx, relay.Channel{Name: fmt.Sprintf("%s:%d", base, i)})
		switch {
		case err == nil: // it was faster than its context
			release()
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		case release != nil:
			return errors.New("a release with an error")
		}
		return nil
	})
	for i := range number {
		a.awaitCount(t, fmt.Sprintf("%s:%d", base, i), 0)
	}
}
