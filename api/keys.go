package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"golang.org/x/time/rate"
)

// keys are the API keys, by their digests: comparing digests of one length tells nothing about a key's length.
type keys struct {
	texts   []string
	digests [][sha256.Size]byte
}

func newKeys(texts []string) *keys {
	k := &keys{texts: texts}
	for _, text := range texts {
		k.digests = append(k.digests, sha256.Sum256([]byte(text)))
	}
	return k
}

// check returns the caller's key: empty where none are configured. All keys are compared, whichever matches.
func (k *keys) check(r *http.Request) (string, error) {
	if len(k.texts) == 0 {
		return "", nil
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", &failure{http.StatusUnauthorized, "unauthorized", "want Authorization: Bearer <api key>"}
	}
	digest, found := sha256.Sum256([]byte(strings.TrimSpace(given))), -1
	for i := range k.digests {
		if subtle.ConstantTimeCompare(digest[:], k.digests[i][:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return "", &failure{http.StatusUnauthorized, "unauthorized", "the API key is not known"}
	}
	return k.texts[found], nil
}

type keyInContext struct{}

func withKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyInContext{}, key)
}

// keyOf is the API key that the caller was let in with, or empty.
func keyOf(ctx context.Context) string {
	key, _ := ctx.Value(keyInContext{}).(string)
	return key
}

// newLimits makes a limiter a key, or one for all callers where there are no keys.
func newLimits(o Options) map[string]*rate.Limiter {
	if o.Rate == 0 {
		return nil
	}
	keys := o.Keys
	if len(keys) == 0 {
		keys = []string{""}
	}
	limits := make(map[string]*rate.Limiter, len(keys))
	for _, key := range keys {
		limits[key] = rate.NewLimiter(rate.Limit(o.Rate), max(1, int(o.Rate)))
	}
	return limits
}

func (a *API) allow(key string) error {
	limit := a.limits[key]
	if limit == nil || limit.Allow() {
		return nil
	}
	return &failure{http.StatusTooManyRequests, "rate_limited", "too many calls a second; try again later"}
}
