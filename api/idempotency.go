package api

import (
	"net/http"
	"unicode/utf8"

	"github.com/google/uuid"
)

const (
	idempotencyHeader = "Idempotency-Key"
	maxIdempotencyKey = 255 // characters
)

// idempotencyID is the ID that an Idempotency-Key stands for, or uuid.Nil where there is none: the same at every node, and another for
// each API key, so that callers don't meet in each other's IDs.
func idempotencyID(r *http.Request) (uuid.UUID, error) {
	given := r.Header.Values(idempotencyHeader)
	if len(given) == 0 {
		return uuid.Nil, nil
	}
	text := given[0]
	if len(given) > 1 || text == "" || utf8.RuneCountInString(text) > maxIdempotencyKey {
		return uuid.Nil, badRequest("%s: want one header of 1 to %d characters", idempotencyHeader, maxIdempotencyKey)
	}
	space := uuid.NewSHA1(uuid.NameSpaceOID, []byte("ackbus idempotency "+keyOf(r.Context())))
	return uuid.NewSHA1(space, []byte(text)), nil
}
