package redistest

import (
	"fmt"
	"os"
	"os/exec"
)

// BinaryEnv names the environment variable that may hold the redis-server (name or path) to start.
const BinaryEnv = "ACKBUS_REDIS_SERVER"

func findBinary() (string, error) {
	name := os.Getenv(BinaryEnv)
	if name == "" {
		name = "redis-server"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("redistest: no redis-server (%w).\n"+
			"  Debian, Ubuntu: apt-get install redis-server\n"+
			"  macOS:          brew install redis\n"+
			"  elsewhere:      set %s to the path of one\n"+
			"or run `make test`, which installs it", err, BinaryEnv)
	}
	return path, nil
}
