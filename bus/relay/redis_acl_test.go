package relay_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

// limitedURL makes a user who may use the channels of the prefix "ok:" alone, and returns a URL with its name.
func limitedURL(t *testing.T, server *redistest.Server) string {
	t.Helper()
	permit(t, server, "&ok:*")
	return strings.Replace(server.URL(), "redis://", "redis://limited:secret@", 1)
}

func permit(t *testing.T, server *redistest.Server, channels string, more ...any) {
	t.Helper()
	rules := append([]any{"ACL", "SETUSER", "limited", "reset", "on", ">secret", "+@all", "~*", "resetchannels", channels}, more...)
	err := server.Client().Do(t.Context(), rules...).Err()
	if err != nil {
		t.Fatal(err)
	}
}

// A channel that Redis does not permit is an error at once, and costs those that came with it nothing.
func TestForbiddenChannel(t *testing.T) {
	server := redistest.Start(t)
	url := limitedURL(t, server)
	got := newJournal()
	r := startRedis(t, url, &relay.Options{Prefix: "ok:", Lanes: 1}, got)
	names := make([]string, 200)
	for i := range names {
		names[i] = numbered(200)[i]
		if i%20 != 0 {
			names[i] = "ok:" + names[i]
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	errs := make(chan error, len(names))
	for _, name := range names {
		r.Go(func() {
			_, err := r.Subscribe(ctx, relay.Channel{Name: name})
			if errors.Is(err, relay.ErrRefused) != !strings.HasPrefix(name, "ok:") {
				t.Errorf("subscribe to %s: %v", name, err)
			}
			errs <- err
		})
	}
	for range names {
		<-errs
	}
	if err := r.Publish(ctx, relay.Packet{Channel: "forbidden", Payload: []byte("x"), Token: 1}); err != nil {
		t.Fatal(err)
	}
	if err := r.Publish(ctx, relay.Packet{Channel: "forbidden", Payload: []byte("x"), Token: 2, Guard: true}); err != nil {
		t.Fatal(err)
	}
	if err := r.Publish(ctx, relay.Packet{Channel: "ok:user:1", Payload: []byte("x"), Token: 3, Guard: true}); err != nil {
		t.Fatal(err)
	}
	for _, token := range []uint64{1, 2} {
		if res := got.result(t, token); !errors.Is(res.Err, relay.ErrRefused) || !strings.Contains(res.Err.Error(), "NOPERM") {
			t.Errorf("publish to a forbidden channel: %+v", res)
		}
	}
	if res := got.result(t, 3); res.Err != nil || res.Count != 1 || res.Beacon != 1 {
		t.Errorf("publish behind them: %+v", res)
	}
	if falls, _ := got.lanes(); falls > 0 {
		t.Error("a refused channel cost the lane its connection")
	}
}

// A lane does not stand while Redis forbids a channel that somebody relies on.
func TestPermissionRevoked(t *testing.T) {
	server := redistest.Start(t)
	url := limitedURL(t, server)
	permit(t, server, "&*")
	got := newJournal()
	r := startRedis(t, url, &relay.Options{Prefix: "ok:", Lanes: 1}, got)
	subscribe(t, r, "other")
	permit(t, server, "&ok:*")
	eventually(t, "the lane fell", func() bool { falls, _ := got.lanes(); return falls == 1 })
	eventually(t, "Redis refuses the channel", func() bool { return errors.Is(r.LastFailure(), relay.ErrRefused) })
	permit(t, server, "&*")
	got.mended(t, 1)
	if n := server.Client().PubSubNumSub(t.Context(), "other").Val()["other"]; n != 1 {
		t.Errorf("the channel is held %d times", n)
	}
}

// A user who may not kill its own former connections, or not even know them, still gets its lanes back.
func TestKillForbidden(t *testing.T) {
	for _, forbidden := range []string{"-client|kill", "-client"} {
		t.Run(forbidden, func(t *testing.T) {
			server := redistest.Start(t)
			url := limitedURL(t, server)
			permit(t, server, "&*", forbidden)
			got := newJournal()
			r := startRedis(t, url, nil, got)
			subscribe(t, r, "a")
			for round := range 2 {
				if err := server.Client().ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
					t.Fatal(err)
				}
				got.mended(t, 4*(round+1))
			}
			got.orderly(t)
		})
	}
}

// A Redis that will not let us in is an error of Start at once, and so is none at all within the context.
func TestStartFails(t *testing.T) {
	server := redistest.Start(t)
	limited := limitedURL(t, server)
	for name, url := range map[string]string{
		"wrong password": strings.Replace(limited, "secret", "wrong", 1),
		"no channels":    limited, // with the default prefix
		"no such db":     server.URL() + "999",
		"nobody there":   "redis://127.0.0.1:1",
	} {
		t.Run(name, func(t *testing.T) {
			r, err := relay.OpenRedis(t.Context(), url, nil)
			if err != nil {
				t.Fatal(err)
			}
			patience := 20 * time.Second
			if name == "nobody there" {
				patience = 200 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err = r.Start(ctx, relay.Self{ID: "n"}, newJournal())
			if !errors.Is(err, relay.ErrUnavailable) {
				t.Errorf("start: %v", err)
			}
			if ctx.Err() != nil && name != "nobody there" {
				t.Error("it took all the time that it had")
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the password: %v", err)
			}
			t.Log(err)
			if err := r.Publish(t.Context(), relay.Packet{Channel: "x"}); !errors.Is(err, relay.ErrClosed) {
				t.Errorf("publish after a failed start: %v", err)
			}
		})
	}
}
