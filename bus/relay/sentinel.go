package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ackbus/ackbus/internal/pause"
)

// masterEvery is how often the sentinels are asked whether the master is still the same.
const masterEvery = 2 * time.Second

var errMoved = errors.New("relay: the sentinels name another master")

// watchMaster gives up connections to a server that is no longer the master. Sentinels close them when they reach it, but one that
// they can't reach would keep us, and with it nodes that do not hear each other.
func (r *Redis) watchMaster() {
	ctx := r.group.Context()
	for pause.For(ctx, masterEvery) {
		addr, err := r.dialer.findMaster(ctx)
		if err != nil {
			continue // nobody knows better than the connections that stand
		}
		for _, l := range r.lanes {
			l.move(addr)
		}
		r.outbox.move(addr)
	}
}

// move ends a connection to another server than the one at the address.
func (l *lane) move(addr string) {
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	if s := l.session; s != nil && s.link.addr != addr {
		s.end(errMoved)
	}
}

func (o *outbox) move(addr string) {
	o.replace(errMoved, func(l *link) bool { return l.addr != addr })
}

// findMaster asks the sentinels, one after another, for the master's address, and believes it once the server there
// calls itself the master: a sentinel that was cut off still names the old one.
func (d *dialer) findMaster(ctx context.Context) (string, error) {
	var failures []error
	for _, sentinel := range d.sentinels {
		addr, err := d.askSentinel(ctx, sentinel)
		if err == nil {
			err = d.confirmMaster(ctx, addr)
		}
		if err == nil {
			return addr, nil
		}
		failures = append(failures, fmt.Errorf("sentinel %s: %w", sentinel, err))
	}
	return "", errors.Join(failures...)
}

func (d *dialer) askSentinel(ctx context.Context, sentinel string) (string, error) {
	conn, err := d.dial(ctx, "tcp", sentinel)
	if err != nil {
		return "", err
	}
	opts := redis.Options{Addr: sentinel, Username: d.sentinelUser, Password: d.sentinelPassword}
	l := newLink(&opts, newWire(conn, conn), d.timeout, false)
	defer l.close()
	cmd := redis.NewStringSliceCmd(ctx, "sentinel", "get-master-addr-by-name", d.master)
	err = l.client.Process(ctx, cmd)
	switch {
	case errors.Is(err, redis.Nil):
		return "", fmt.Errorf("knows no master %q", d.master)
	case err != nil:
		return "", err
	case len(cmd.Val()) != 2:
		return "", fmt.Errorf("odd answer of %d parts", len(cmd.Val()))
	}
	return net.JoinHostPort(cmd.Val()[0], cmd.Val()[1]), nil
}

func (d *dialer) confirmMaster(ctx context.Context, addr string) error {
	l, err := d.openAt(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer l.close()
	role, err := l.client.Do(ctx, "role").Slice()
	if replied(err, "NOPERM") {
		return nil // not allowed to ask: believe the sentinel
	}
	if err != nil {
		return err
	}
	if len(role) == 0 || role[0] != "master" {
		return fmt.Errorf("%s is not the master", addr)
	}
	return nil
}
