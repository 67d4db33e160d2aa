package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// noParameters refuses parameters after a question mark.
func noParameters(r *http.Request) error {
	_, err := parameters(r)
	return err
}

// parameters reads what stands after the question mark: each name once, none but the allowed ones.
func parameters(r *http.Request, allowed ...string) (map[string]string, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the query can't be read: %v", err)
	}
	values := make(map[string]string, len(query))
	for name, given := range query {
		if !slices.Contains(allowed, name) {
			return nil, badRequest("unknown parameter %q: %s", clip(name), allowedParameters(allowed))
		}
		if len(given) > 1 {
			return nil, badRequest("%s: stands there twice", name)
		}
		values[name] = given[0]
	}
	return values, nil
}

func allowedParameters(allowed []string) string {
	if len(allowed) == 0 {
		return "none is allowed here"
	}
	return "allowed are " + strings.Join(allowed, ", ")
}

// wholeParameter reads a whole number between the two, both allowed; absent it is the default.
func wholeParameter(values map[string]string, name string, least, most, absent int) (int, error) {
	text, given := values[name]
	if !given {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badRequest("%s: %s", name, wantWhole(least, most))
	}
	return n, nil
}
