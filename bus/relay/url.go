package relay

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"
)

const (
	sentinelScheme = "redis+sentinel"
	sentinelPort   = "26379"
)

// A target is where a URL points: one server, or the master that sentinels name.
type target struct {
	options   redis.Options // with the address of the one server, or none
	sentinels []string      // addresses of sentinels, or none
	master    string        // the name under which the sentinels know the master
	// For the sentinels themselves; the user and password of the URL are for the master.
	sentinelUser, sentinelPassword string
}

// parseTarget reads a Redis URL. Its errors never repeat the URL, which may hold a password.
func parseTarget(rawURL string) (target, error) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return target{}, errors.New("relay: Redis URL without a scheme: want redis://, rediss://, unix:// or redis+sentinel://")
	}
	switch scheme {
	case "redis", "rediss", "unix":
		o, err := redis.ParseURL(rawURL)
		if err != nil {
			return target{}, urlError(err)
		}
		return target{options: *o}, nil
	case sentinelScheme:
		return parseSentinels(rest)
	case "redis+cluster":
		return target{}, errors.New("relay: redis+cluster:// is not supported yet: use redis:// or redis+sentinel://")
	default:
		return target{}, fmt.Errorf("relay: Redis URL with scheme %q: want redis://, rediss://, unix:// or redis+sentinel://", scheme)
	}
}

// parseSentinels reads what follows redis+sentinel://, that is [user:password@]host[:port],…/master[?db=…].
func parseSentinels(rest string) (target, error) {
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	user, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, hosts = authority[:i+1], authority[i+1:]
	}
	// The net/url package takes one host, so the list is kept from it.
	u, err := url.Parse("redis://" + user + "sentinel" + path)
	if err != nil {
		return target{}, urlError(err)
	}
	t := target{master: strings.Trim(u.Path, "/")}
	if t.master == "" || strings.Contains(t.master, "/") {
		return target{}, errors.New("relay: a sentinel URL names the master: redis+sentinel://host:26379,host:26379/mymaster")
	}
	if t.sentinels, err = sentinelAddresses(hosts); err != nil {
		return target{}, err
	}
	query := u.Query()
	t.sentinelUser, t.sentinelPassword = query.Get("sentinel_username"), query.Get("sentinel_password")
	query.Del("sentinel_username")
	query.Del("sentinel_password")
	u.Path, u.RawQuery = "", query.Encode()
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return target{}, urlError(err)
	}
	o.Addr = ""
	t.options = *o
	return t, nil
}

func sentinelAddresses(list string) ([]string, error) {
	var addrs []string
	for host := range strings.SplitSeq(list, ",") {
		if host == "" {
			return nil, errors.New("relay: a sentinel URL lists the sentinels, separated by commas")
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), sentinelPort)
			if _, _, err := net.SplitHostPort(host); err != nil {
				return nil, fmt.Errorf("relay: sentinel address %q: want host:port", host)
			}
		}
		addrs = append(addrs, host)
	}
	return addrs, nil
}

// urlError drops the URL, and with it the password, from an error of net/url.
func urlError(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return fmt.Errorf("relay: Redis URL: %w", err)
}
