package relay_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// subscribeAll subscribes to all names at once from so many goroutines, and returns the releases.
func subscribeAll(t *testing.T, r *relay.Redis, names []string, goroutines int) []func() {
	t.Helper()
	releases := make([]func(), len(names))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	group := run.New(ctx)
	var all sync.WaitGroup
	for g := range goroutines {
		all.Add(1)
		group.Go(func() {
			defer all.Done()
			for i := g; i < len(names); i += goroutines {
				var err error
				if releases[i], err = r.Subscribe(ctx, relay.Channel{Name: names[i]}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	group.Stop()
	group.Wait()
	return releases
}

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("user:", i)
	}
	return names
}

// Ten thousand clients that come at once are subscribed together.
func TestManySubscribeAtOnce(t *testing.T) {
	server := redistest.Start(t)
	r := startRedis(t, server.URL(), &relay.Options{Linger: -1}, newJournal())
	names := numbered(10_000)
	start := time.Now()
	releases := subscribeAll(t, r, names, len(names))
	took := time.Since(start)
	t.Logf("10,000 concurrent subscriptions took %v", took)
	if took > 10*time.Second {
		t.Errorf("10,000 subscriptions took %v", took)
	}
	client := server.Client()
	counts, err := client.PubSubNumSub(t.Context(), names...).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if counts[name] != 1 {
			t.Fatalf("Subscribe to %s returned, and Redis counts %d", name, counts[name])
		}
	}
	for _, release := range releases {
		release()
		release() // once is enough
	}
	eventually(t, "only the lanes' own channels are left", func() bool {
		left, err := client.PubSubChannels(t.Context(), "user:*").Result()
		return err == nil && len(left) == 0
	})
}

// A hundred thousand channels survive the loss of all connections.
func TestManyChannels(t *testing.T) {
	server := redistest.Start(t)
	got := newJournal()
	r := startRedis(t, server.URL(), nil, got)
	names := numbered(100_000)
	start := time.Now()
	subscribeAll(t, r, names, 2000)
	t.Logf("100,000 channels were subscribed in %v", time.Since(start))
	start = time.Now()
	client := server.Client()
	if err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	got.mended(t, 4)
	t.Logf("they were held again %v after the kill", time.Since(start))
	held, err := client.PubSubChannels(t.Context(), "user:*").Result()
	if err != nil || len(held) != len(names) {
		t.Errorf("%d channels are held, want %d (%v)", len(held), len(names), err)
	}
	got.orderly(t)
}

// Patterns are few: Redis tries all of them at each PUBLISH.
func TestTooManyPatterns(t *testing.T) {
	r := startRedis(t, redistest.Shared(t).URL(), &relay.Options{Prefix: redistest.Prefix(t), Linger: -1}, newJournal())
	var releases []func()
	for i := range 1000 {
		release, err := r.Subscribe(t.Context(), relay.Channel{Name: fmt.Sprint(redistest.Prefix(t), i, ".*"), Pattern: true})
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	one := relay.Channel{Name: redistest.Prefix(t) + "more.*", Pattern: true}
	if _, err := r.Subscribe(t.Context(), one); err == nil {
		t.Error("pattern 1,001 was accepted")
	}
	releases[0]()
	eventually(t, "there is room for one", func() bool {
		_, err := r.Subscribe(t.Context(), one)
		return err == nil
	})
}
