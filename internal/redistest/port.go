package redistest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports come from below the range that Linux (32768) and macOS (49152) take the local ends of outgoing connections from.
// A port within it could be taken, by a client that dials the killed server, before the server is started again.
const (
	firstPort = 20000
	portCount = 12000
)

// errPortTaken says that a server could not have the port that was chosen for it.
var errPortTaken = errors.New("redistest: the port was taken")

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	const tries = 100
	for range tries {
		port := firstPort + rand.IntN(portCount)
		l, err := config.Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if ctx.Err() != nil {
			return 0, fmt.Errorf("redistest: look for a port: %w", context.Cause(ctx))
		}
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("%w: no free one in %d tries from %d on", errPortTaken, tries, firstPort)
}
