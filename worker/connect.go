package worker

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// commandTimeout bounds one command. What is not answered by then may still be carried out.
const commandTimeout = 2 * time.Second

const (
	commandConns = 32 // at least, for commands, which are short
	// blockedConns bounds the connections of listeners, of which each queue of a pool holds one: they must not keep commands waiting.
	blockedConns = 1 << 14
)

// connect makes the client for a URL of the forms that the bus takes, with at least so many connections when they are needed. It only
// looks at the URL.
func connect(rawURL string, conns int) (redis.UniversalClient, error) {
	scheme, rest, found := strings.Cut(rawURL, "://")
	if found && scheme == "redis+sentinel" {
		return connectSentinel(rest, conns)
	}
	o, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, withoutURL(err)
	}
	tune(o, conns)
	quietly(o)
	return redis.NewClient(o), nil
}

// tune sets what every client here needs.
func tune(o *redis.Options, conns int) {
	o.Protocol = 2
	o.MaxRetries = -1 // a retried script may run twice
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = commandTimeout, commandTimeout, commandTimeout
	o.DialerRetries = 1
	o.PoolSize = max(o.PoolSize, conns)
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// connectSentinel reads what follows redis+sentinel://, that is [user:password@]host[:port],…/master[?db=…].
func connectSentinel(rest string, conns int) (redis.UniversalClient, error) {
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	user, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, hosts = authority[:i+1], authority[i+1:]
	}
	u, err := url.Parse("redis://" + user + "sentinel" + path)
	if err != nil {
		return nil, withoutURL(err)
	}
	master, query := strings.Trim(u.Path, "/"), u.Query()
	if master == "" || strings.Contains(master, "/") {
		return nil, errors.New("worker: a sentinel URL names the master: redis+sentinel://host:26379,host:26379/mymaster")
	}
	f := &redis.FailoverOptions{MasterName: master, SentinelUsername: query.Get("sentinel_username"),
		SentinelPassword: query.Get("sentinel_password"), SentinelAddrs: strings.Split(hosts, ",")}
	for i, host := range f.SentinelAddrs {
		if _, _, err := net.SplitHostPort(host); err != nil {
			f.SentinelAddrs[i] = net.JoinHostPort(strings.Trim(host, "[]"), "26379")
		}
	}
	query.Del("sentinel_username")
	query.Del("sentinel_password")
	u.Path, u.RawQuery = "", query.Encode()
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, withoutURL(err)
	}
	tune(o, conns)
	f.Username, f.Password, f.DB, f.Protocol, f.MaxRetries = o.Username, o.Password, o.DB, o.Protocol, o.MaxRetries
	f.ContextTimeoutEnabled, f.DialTimeout, f.ReadTimeout, f.WriteTimeout = true, o.DialTimeout, o.ReadTimeout, o.WriteTimeout
	f.PoolSize, f.DisableIdentity, f.DialerRetries = o.PoolSize, true, o.DialerRetries
	return redis.NewFailoverClient(f), nil
}

// withoutURL drops the URL, and with it the password, from an error of net/url.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return fmt.Errorf("worker: Redis URL: %w", err)
}

// isUnsent reports whether an error came before anything was sent.
func isUnsent(err error) bool {
	if errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrClosed) {
		return true
	}
	if _, ok := errors.AsType[dialError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
