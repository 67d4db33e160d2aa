package acceptance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// replies starts a replier and returns once it is ready.
func (c *cluster) replies(t *testing.T, name, method, program string, env []string, args ...string) *runner {
	t.Helper()
	args = append([]string{"reply", method, "--exec", program, "--name", name, "--redis", c.redis.URL()}, args...)
	r := startRunner(t, name, env, args...)
	r.says(t, "msg=ready")
	return r
}

// A result is what a node said to a call by HTTP: any JSON, or an error.
type result struct {
	status int
	took   time.Duration
	at     time.Time
	text   string
	failed error // there was no answer
	err    problem
}

func (r *result) String() string {
	if r.failed != nil {
		return r.failed.Error()
	}
	return fmt.Sprintf("%d after %v: %s", r.status, r.took.Round(time.Millisecond), r.text)
}

// call calls a method, which may have parameters behind its name. It may run in any goroutine.
func (n *node) call(method string, argument any) *result {
	p, err := json.Marshal(argument)
	if err != nil {
		return &result{failed: err}
	}
	began := time.Now()
	res, err := n.caller.Post(n.http+"/v1/call/"+method, "application/json", strings.NewReader(string(p)))
	if err != nil {
		return &result{failed: err}
	}
	defer res.Body.Close()
	p, err = io.ReadAll(res.Body)
	r := &result{status: res.StatusCode, took: time.Since(began), at: time.Now(), text: strings.TrimSpace(string(p)), failed: err}
	if err == nil && r.status != http.StatusOK {
		var body struct{ Error problem }
		r.failed = json.Unmarshal(p, &body)
		r.err = body.Error
	}
	return r
}

// is reports whether the result is the one that was awaited.
func (r *result) is(want string) bool {
	return r.failed == nil && r.status == http.StatusOK && r.text == want
}

// want fails the test unless the call failed with the code, and its message holds the words.
func (r *result) want(t *testing.T, status int, code string, words ...string) {
	t.Helper()
	if r.failed != nil || r.status != status || r.err.Code != code {
		t.Fatalf("want %d %s, got %v", status, code, r)
	}
	for _, word := range words {
		if !strings.Contains(r.err.Message, word) {
			t.Errorf("%v does not say %q", r, word)
		}
	}
}

// knows waits until a method is known at both nodes, by as many instances.
func (c *cluster) knows(t *testing.T, method string, instances int) {
	t.Helper()
	for _, n := range []*node{c.gw1, c.gw2} {
		eventually(t, fmt.Sprintf("%s knows %d instances of %s", n.name, instances, method), func() bool {
			var listed struct {
				Methods []struct {
					Name      string
					Instances []struct{ Node string }
				}
			}
			err := n.get("/v1/methods", &listed)
			for _, m := range listed.Methods {
				if err == nil && m.Name == method {
					return len(m.Instances) == instances
				}
			}
			return err == nil && instances == 0
		})
	}
}

func (n *node) get(path string, into any) error {
	res, err := n.asking.Get(n.http + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}
