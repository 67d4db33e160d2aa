package redistest

import (
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

func newClient(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:        addr,
		Protocol:    2,
		MaxRetries:  -1, // a test wants to see an error, not to have its command sent twice
		DialTimeout: 5 * time.Second,
		// Left on, it keeps goroutines of its own that a leak check would find.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}
