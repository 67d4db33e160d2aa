package relay_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

// A backlog keeps what is written to a connection from the marked write on, as a network between may, and sends it later, also
// when the writer has closed.
type backlog struct {
	mark string

	mu   sync.Mutex
	held *heldConn
}

func (b *backlog) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &heldConn{Conn: conn, backlog: b}, nil
}

// send lets the backlog go.
func (b *backlog) send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _ = b.held.Conn.Write([]byte(b.held.late)) // Redis may have closed it: that is the point
	_ = b.held.Conn.Close()
}

func (b *backlog) holds() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held != nil
}

type heldConn struct {
	net.Conn
	backlog *backlog
	late    string
}

func (c *heldConn) Write(p []byte) (int, error) {
	b := c.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == nil && strings.Contains(string(p), b.mark) {
		b.held = c
	}
	if b.held == c {
		c.late += string(p)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *heldConn) Close() error {
	b := c.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == c {
		return c.Conn.SetReadDeadline(time.Now()) // the reader ends; Redis learns nothing
	}
	return c.Conn.Close()
}

// What a lost connection still carries does not come after what is published over the next one.
func TestALostPipelineDoesNotComeLater(t *testing.T) {
	server := redistest.Start(t)
	log := newJournal()
	hears := startRedis(t, server.URL(), &relay.Options{Prefix: "p:"}, log)
	if _, err := hears.Subscribe(t.Context(), relay.Channel{Name: "p:order"}); err != nil {
		t.Fatal(err)
	}
	b := &backlog{mark: "first"}
	r := startRedis(t, server.URL(), &relay.Options{Prefix: "p:", Dial: b.dial, CommandTimeout: 300 * time.Millisecond}, newJournal())
	for i, payload := range []string{"first", "second"} {
		if err := r.Publish(t.Context(), relay.Packet{Channel: "p:order", Payload: []byte(payload), Token: uint64(i + 1), Wait: true,
			Patience: 10 * time.Second}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			eventually(t, "the first is held up", b.holds)
		}
	}
	eventually(t, "the second arrives", func() bool { return len(log.payloads()) > 0 })
	b.send()
	if err := r.Publish(t.Context(), relay.Packet{Channel: "p:order", Payload: []byte("third"), Token: 3, Wait: true,
		Patience: 10 * time.Second}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the third arrives", func() bool { return strings.HasSuffix(strings.Join(log.payloads(), " "), "third") })
	if got := strings.Join(log.payloads(), " "); got != "second third" {
		t.Errorf("got %q: the first, whose count was lost, came later", got)
	}
}
