package relay

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// isReply reports whether Redis itself answered with an error; the connection is as good as before.
func isReply(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}

// isAbsence reports whether an error reply says that this server can't serve now, and another or a later one can.
func isAbsence(err error) bool {
	return replied(err, "LOADING", "READONLY", "MASTERDOWN", "NOAUTH", "ERR max number of clients")
}

// isHopeless reports whether an error will be the same until somebody changes a setting.
func isHopeless(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	return replied(err, "NOAUTH", "WRONGPASS", "NOPERM", "ERR DB index", "ERR invalid DB", "ERR AUTH")
}

func replied(err error, prefixes ...string) bool {
	reply, ok := errors.AsType[redis.Error](err)
	return ok && slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(reply.Error(), p) })
}
