package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// awaitReady returns once the process itself, and not another server that got the port first, answers a PING.
func (p *process) awaitReady(ctx context.Context, addr string) error {
	const pause = 2 * time.Millisecond
	for {
		pid, err := askPID(ctx, addr)
		switch {
		case err == nil && (pid == p.pid() || pid == 0):
			return nil
		case err == nil:
			err = fmt.Errorf("%w by process %d", errPortTaken, pid)
		case ctx.Err() != nil:
			return fmt.Errorf("did not answer in time: %w", errors.Join(context.Cause(ctx), err))
		}
		if p.exitedWithin(pause) {
			return errors.New("ended at once")
		}
		if errors.Is(err, errPortTaken) {
			return err
		}
	}
}

// askPID pings a server and asks for its process ID; 0 where it answers only with a password.
func askPID(ctx context.Context, addr string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return 0, err
	}
	if _, err := conn.Write([]byte("PING\r\nINFO server\r\n")); err != nil {
		return 0, err
	}
	return readPID(bufio.NewScanner(conn))
}

func readPID(lines *bufio.Scanner) (int, error) {
	for first := true; lines.Scan(); first = false {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "-NOAUTH"):
			return 0, nil
		case first && line != "+PONG":
			return 0, fmt.Errorf("answered %q to PING", line) // -LOADING, for one
		}
		var pid int
		if n, _ := fmt.Sscanf(line, "process_id:%d", &pid); n == 1 {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("no process ID in the answer to INFO: %w", lines.Err())
}
