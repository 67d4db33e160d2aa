package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ackbus/ackbus/bus"
)

// Credentials are what a client brings to say who it is.
type Credentials struct {
	// Token comes from hello, from an Authorization: Bearer header or from ?token=; empty: none.
	Token string
	// User and Groups are what the client claims.
	User   string
	Groups []string
	// RemoteAddr is the address of the peer, with its port.
	RemoteAddr string
	// Carrier is bus.CarrierWebSocket or bus.CarrierTCP.
	Carrier string
	// Header is that of the WebSocket upgrade, such as cookies; nil on TCP, and after a hello.
	Header http.Header
}

// An Identity is who a client is: a user, possibly none, and the groups that it enters by connecting.
type Identity struct {
	User   string
	Groups []string
	// Rights is what Authenticate has Authorize and Call know of the client, such as claims of its token. The gateway only carries it.
	Rights any
}

// The kinds of an Action.
const (
	ActionJoin = "join" // enter the group Target
	ActionSend = "send" // send Event to the address Target
	ActionCall = "call" // call the method Target
)

// An Action is what a client wants to do.
type Action struct {
	Identity Identity // as it was authenticated; groups joined since are not in it
	Socket   string
	Carrier  string
	Kind     string
	Target   string
	Event    string // of a send
}

var errUnauthorized = errors.New("unauthorized")

// identify asks the hook, or believes the client where there is none, and checks what comes of it.
func (g *Gateway) identify(ctx context.Context, c Credentials) (Identity, []bus.Address, error) {
	who := Identity{User: c.User, Groups: c.Groups}
	if g.opts.Authenticate != nil {
		var err error
		if who, err = g.opts.Authenticate(ctx, c); err != nil {
			return Identity{}, nil, fmt.Errorf("%w: %w", errUnauthorized, err)
		}
	}
	return g.addressesOf(who)
}

// addressesOf clones what it keeps: names from a request would hold on to its whole header.
func (g *Gateway) addressesOf(who Identity) (Identity, []bus.Address, error) {
	clean := Identity{User: strings.Clone(who.User), Rights: who.Rights}
	addresses := []bus.Address{bus.Everyone()}
	if who.User != "" {
		to, err := bus.ParseAddress("user:" + clean.User)
		if err != nil {
			return Identity{}, nil, inField("user", err)
		}
		addresses = append(addresses, to)
	}
	for _, name := range who.Groups {
		if slices.Contains(clean.Groups, name) {
			continue
		}
		to, err := bus.ParseAddress("group:" + name)
		if err != nil {
			return Identity{}, nil, inField("groups", err)
		}
		if len(clean.Groups) >= g.opts.MaxGroups {
			return Identity{}, nil, fmt.Errorf("groups: at most %d are allowed", g.opts.MaxGroups)
		}
		clean.Groups = append(clean.Groups, strings.Clone(name))
		addresses = append(addresses, to)
	}
	return clean, addresses, nil
}

// allowed asks whether the session may do a thing. Without a hook, everything may be done where authentication is off.
func (s *session) allowed(ctx context.Context, kind, target, event string) error {
	if s.gw.opts.Authorize == nil {
		if s.gw.opts.Authenticate == nil {
			return nil
		}
		return bus.Reject(codeForbidden, "not allowed")
	}
	return s.gw.opts.Authorize(ctx, Action{Identity: s.who, Socket: s.socket, Carrier: s.kind, Kind: kind, Target: target, Event: event})
}

// publicText is what a client may read of a hook's error: the message of a Rejection, nothing of others.
func publicText(err error, instead string) string {
	if r, ok := errors.AsType[*bus.Rejection](err); ok && r.Message != "" {
		return r.Message
	}
	return instead
}

// upgradeCredentials reads what an upgrade request carries. It reports whether there was anything. Where authentication is on,
// a user and groups in the URL are nothing: they could only be believed.
func upgradeCredentials(r *http.Request, authenticated bool) (Credentials, bool) {
	c := Credentials{RemoteAddr: r.RemoteAddr, Carrier: bus.CarrierWebSocket, Header: r.Header}
	query := r.URL.Query()
	c.Token = query.Get("token")
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		c.Token = strings.TrimSpace(token)
	}
	if !authenticated {
		c.User, c.Groups = query.Get("user"), query["group"]
	}
	return c, c.Token != "" || c.User != "" || len(c.Groups) > 0
}

func checkOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("bad origin %q: want scheme://host[:port] or *", origin)
	}
	return nil
}

// originAllowed lets through what comes without an Origin, from the same host, or from an origin on the list.
func originAllowed(r *http.Request, allowed []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	if u, err := url.Parse(origin); err == nil && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return slices.ContainsFunc(allowed, func(a string) bool {
		return a == "*" || strings.EqualFold(strings.TrimRight(a, "/"), origin)
	})
}
