package client

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// A conn carries frames. One goroutine reads and one writes at a time; interrupt may be called besides.
type conn interface {
	// read fails when nothing comes for two and a half intervals; zero: never.
	read(interval time.Duration) (frame, error)
	write(v any) error
	// interrupt makes read fail, now and later.
	interrupt()
	// close closes at once, or gently: so that what was written still arrives.
	close(gently bool)
}

// parseURL checks the URL and what goes with it. Its errors wrap ErrURL.
func parseURL(o *Options) (*url.URL, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%w %q: want %s", ErrURL, o.URL, wantURL)
	}
	switch u.Scheme {
	case "ws", "wss":
		return u, nil
	case "tcp":
		if o.Msgpack {
			return nil, fmt.Errorf("%w %q: msgpack needs a WebSocket", ErrURL, o.URL)
		}
		if u.Port() == "" {
			return nil, fmt.Errorf("%w %q: want a port, as in tcp://host:7071", ErrURL, o.URL)
		}
		return u, nil
	}
	return nil, fmt.Errorf("%w %q: want %s", ErrURL, o.URL, wantURL)
}

const wantURL = "ws://host:7070/ws, wss://host/ws or tcp://host:7071"

// dial connects. It reports whether the server was told who the client is by that.
func dial(ctx context.Context, o *Options) (c conn, introduced bool, err error) {
	u, err := parseURL(o)
	if err != nil {
		return nil, false, err
	}
	if u.Scheme == "tcp" {
		c, err = dialTCP(ctx, u.Host)
		return c, false, err
	}
	c, err = dialWebSocket(ctx, u, o)
	q := u.Query()
	return c, q.Has("token") || q.Has("user") || q.Has("group"), err
}

// patience is how long nothing may come: every interval the client pings, and the server answers.
func patience(interval time.Duration) time.Time {
	if interval <= 0 {
		return time.Time{}
	}
	return time.Now().Add(interval*5/2 + time.Second)
}

// A reading is the reading half of a connection: how long it waits, and whether it was interrupted.
type reading struct {
	conn interface{ SetReadDeadline(time.Time) error }

	mu          sync.Mutex // guards interrupted, and that no later deadline undoes it
	interrupted bool
}

func (r *reading) expect(interval time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.interrupted {
		_ = r.conn.SetReadDeadline(patience(interval)) // of a closed connection, which read will tell
	}
}

func (r *reading) interrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupted = true
	_ = r.conn.SetReadDeadline(time.Unix(1, 0)) // long past
}
