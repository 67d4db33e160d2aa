package bus

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// MaxName is how many bytes the name in an address may have.
const MaxName = 255

// MaxMethod is how many bytes the name of a method may have.
const MaxMethod = 200

// ErrAddress is wrapped by every error about an address that can't be read.
var ErrAddress = errors.New("bus: bad address")

// An Address says whom a message is for. Its text form is kind:name (user:42, group:news, socket:<id>, node:<name or id>,
// topic:chat.42, method:<name>, method:<name>@<node id>) or all. The zero Address is nobody and is refused wherever a message is sent.
type Address struct {
	kind string // "user", "group", "socket", "node", "topic", "method", "all"
	name string // empty for all
}

// User is every endpoint of one user, wherever it is connected.
func User(id string) Address { return Address{"user", id} }

// Group is every endpoint that has joined the group.
func Group(name string) Address { return Address{"group", name} }

// Socket is one connected socket, by the ID that its welcome and its receipts carry.
func Socket(id string) Address { return Address{"socket", id} }

// NodeNamed is every node with the name, or the one node with the ID.
func NodeNamed(name string) Address { return Address{"node", name} }

// Topic is every subscriber of a topic. Dots divide a topic by convention; SubscribePattern matches over the whole name.
func Topic(name string) Address { return Address{"topic", name} }

// Method is every instance that serves an rpc method. Package rpc calls methods; to send to their address runs each of them.
func Method(name string) Address { return Address{"method", name} }

// MethodAt is the instance of an rpc method at one node. It travels on the node's own channel, as a socket's messages do.
func MethodAt(name string, node uuid.UUID) Address {
	return Address{"method", name + "@" + node.String()}
}

// Everyone is every endpoint of the cluster.
func Everyone() Address { return Address{"all", ""} }

// ParseAddress reads the text form of an address. Its errors wrap ErrAddress and say what is allowed.
func ParseAddress(s string) (Address, error) {
	if s == "all" {
		return Everyone(), nil
	}
	kind, name, found := strings.Cut(s, ":")
	if !found || s == "all:" {
		return Address{}, fmt.Errorf("%w %q: want kind:name (kinds: user, group, socket, node, topic, method) or all", ErrAddress, clip(s))
	}
	a := Address{kind, name}
	if err := a.check(); err != nil {
		return Address{}, err
	}
	return a, nil
}

// Kind is user, group, socket, node, topic, method or all.
func (a Address) Kind() string { return a.kind }

// Name is what follows the kind: a user's ID, a group's name and so on.
func (a Address) Name() string { return a.name }

// String is the text form.
func (a Address) String() string {
	if a.name == "" {
		return a.kind
	}
	return a.kind + ":" + a.name
}

func (a Address) append(p []byte) []byte {
	p = append(p, a.kind...)
	if a.name != "" {
		p = append(append(p, ':'), a.name...)
	}
	return p
}

// IsZero reports whether the address is nobody.
func (a Address) IsZero() bool { return a == Address{} }

// MarshalText gives the text form.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the text form.
func (a *Address) UnmarshalText(p []byte) error {
	parsed, err := ParseAddress(string(p))
	if err == nil {
		*a = parsed
	}
	return err
}

func (a Address) check() error {
	switch a.kind {
	case "all":
		if a.name != "" {
			return fmt.Errorf("%w %q: all takes no name", ErrAddress, clip(a.String()))
		}
		return nil
	case "user", "group", "node", "topic":
		return checkName(a.kind, a.name)
	case "socket":
		_, err := socketNode(a.name)
		return err
	case "method":
		return checkMethod(a.name)
	case "":
		return fmt.Errorf("%w: it is empty; want kind:name (kinds: user, group, socket, node, topic, method) or all", ErrAddress)
	}
	return fmt.Errorf("%w: unknown kind %q: want user, group, socket, node, topic, method or all", ErrAddress, clip(a.kind))
}

func checkName(kind, name string) error {
	if name != "" && len(name) <= MaxName && isPlain(name) {
		return nil
	}
	switch {
	case name == "":
		return fmt.Errorf("%w: %s needs a name, as in %s:42", ErrAddress, kind, kind)
	case len(name) > MaxName:
		return fmt.Errorf("%w: the name of a %s has %d bytes, at most %d are allowed", ErrAddress, kind, len(name), MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: the name of a %s is not valid UTF-8", ErrAddress, kind)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: the name of a %s holds a control character", ErrAddress, kind)
	}
	return nil
}

// isPlain reports whether the text is ASCII without control characters, as nearly all names are.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// checkMethod takes a method's name, alone or with a node's ID behind an @.
func checkMethod(name string) error {
	method, node, bound := strings.Cut(name, "@")
	if err := checkName("method", method); err != nil {
		return err
	}
	if bound && !isID(node) {
		return fmt.Errorf("%w: bad method %q: want a node's ID after the @", ErrAddress, clip(name))
	}
	if len(method) > MaxMethod {
		return fmt.Errorf("%w: the name of a method has %d bytes, at most %d are allowed", ErrAddress, len(method), MaxMethod)
	}
	return nil
}

// isID reports whether the text is a node's ID: a UUID in its usual form, in small letters.
func isID(s string) bool {
	if len(s) != idBytes {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

// idBytes is how many bytes a node's ID has as text.
const idBytes = 36

// boundTo is the ID of the one node that an address can be at; empty where it can be at several.
func (a Address) boundTo() string {
	switch {
	case a.kind == "socket":
		return a.name[:idBytes]
	case a.kind == "method" && len(a.name) > idBytes && a.name[len(a.name)-idBytes-1] == '@':
		return a.name[len(a.name)-idBytes:]
	}
	return ""
}

// ownPrefix begins the names of topics and methods of the bus's own packages, whose requests are no publisher's.
const ownPrefix = "ackbus."

func (a Address) isOwn() bool {
	return (a.kind == "topic" || a.kind == "method") && strings.HasPrefix(a.name, ownPrefix)
}

// endsBound reports whether the text of an address names the one node that it can be at. It may say no where it does.
func endsBound(to []byte) bool {
	return bytes.HasPrefix(to, []byte("socket:")) ||
		bytes.HasPrefix(to, []byte("method:")) && len(to) > idBytes && to[len(to)-idBytes-1] == '@'
}

// socketNode returns the node that a socket's ID names: the ID is the node's ID, a dot, and a number in base 36.
func socketNode(id string) (uuid.UUID, error) {
	const want = "want the socket ID that a welcome or a receipt carries"
	text, number, found := strings.Cut(id, ".")
	if _, err := strconv.ParseUint(number, 36, 64); !found || err != nil || len(number) > 13 || len(text) != 36 {
		return uuid.Nil, fmt.Errorf("%w: bad socket %q: %s", ErrAddress, clip(id), want)
	}
	node, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, fmt.Errorf("%w: bad socket %q: %s", ErrAddress, clip(id), want)
	}
	return node, nil
}

// clip shortens text from outside before it goes into an error.
func clip(s string) string {
	if len(s) <= 64 {
		return s
	}
	return strings.ToValidUTF8(s[:64], "") + "…"
}
