package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A method that any program serves is called over HTTP and over the three carriers, at either node.
func TestCall(t *testing.T) {
	c := newCluster(t)
	c.replies(t, "r1", "echo", "cat", nil)
	c.replies(t, "r2", "refuse", `echo '{"left":0}'; exit 3`, nil)
	c.replies(t, "r3", "whoami", `printf 'user %s' "$ACKBUS_CALL_USER"`, nil)
	for _, method := range []string{"echo", "refuse", "whoami"} {
		c.knows(t, method, 1)
	}
	for _, n := range []*node{c.gw1, c.gw2} {
		if r := n.call("echo", object{"a": []any{1, "x", nil}}); !r.is(`{"a":[1,"x",null]}`) {
			t.Errorf("%s: %v", n.name, r)
		}
		r := n.call("refuse", nil)
		r.want(t, http.StatusUnprocessableEntity, "rejected", "exit status 3")
		if !strings.Contains(r.text, `"details":{"left":0}`) {
			t.Errorf("%s: %v", n.name, r)
		}
		for _, over := range carriers {
			t.Run(n.name+" "+over, func(t *testing.T) { callOver(t, n, over) })
		}
	}
}

func callOver(t *testing.T, n *node, over string) {
	w := dial(t, n, over, false)
	if err := w.greet("42"); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		method string
		data   any
		want   any
		code   string
	}{
		{"echo", object{"a": []any{"x", nil, true}}, object{"a": []any{"x", nil, true}}, ""},
		{"echo", "text", "text", ""},
		{"whoami", nil, "user 42", ""},
		{"refuse", nil, nil, "rejected"},
		{"refuses", nil, nil, "unknown_method"},
		{"echo@x", nil, nil, "bad_request"},
	} {
		if err := w.write(object{"type": "call", "ref": fmt.Sprint(i), "method": step.method, "data": step.data}); err != nil {
			t.Fatal(err)
		}
		f, err := w.next()
		if err != nil || f.Type != "reply" || f.Ref != fmt.Sprint(i) || f.Error.Code != step.code || !reflect.DeepEqual(f.Data, step.want) {
			t.Errorf("%s %v: %+v, %v; want %v %s", step.method, step.data, f, err, step.want, step.code)
		}
	}
	if err := w.write(object{"type": "send", "ref": "s", "to": "method:echo", "event": "e", "receipt": true}); err != nil {
		t.Fatal(err)
	}
	if f, err := w.next(); err != nil || f.Type != "error" || f.Code != "forbidden" {
		t.Errorf("a message to a method: %+v, %v", f, err)
	}
}

// Nobody serves it: that is said at once, with what may have been meant; also when the last instance has just been killed.
func TestUnknownMethod(t *testing.T) {
	const atOnce = time.Second // two cores, and all that the test has started
	c := newCluster(t)
	r := c.replies(t, "r1", "math.sum", "echo 3", nil)
	c.knows(t, "math.sum", 1)
	for _, n := range []*node{c.gw1, c.gw2} {
		a := n.call("math.som", nil)
		a.want(t, http.StatusNotFound, "unknown_method", "nobody serves math.som", "math.sum")
		if a.took > atOnce {
			t.Errorf("%s: %v", n.name, a)
		}
	}
	if code := r.drain(t); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	wantGone(t, c.gw1, atOnce)
	r = c.replies(t, "r2", "math.sum", "echo 3", nil)
	c.knows(t, "math.sum", 1)
	r.kill()
	wantGone(t, c.gw2, 5*time.Second) // that nobody is there is certain once a dead member counts no more
}

// wantGone calls the method whose last instance has gone until that is known. Each call ends within the limit, and none as if it had been
// answered.
func wantGone(t *testing.T, n *node, limit time.Duration) {
	t.Helper()
	eventually(t, n.name+" knows that nobody serves it", func() bool {
		a := n.call("math.sum", nil)
		if a.took > limit || a.status != http.StatusNotFound && a.status != http.StatusServiceUnavailable {
			t.Fatalf("%v, want that it is gone within %v", a, limit)
		}
		return a.err.Code == "unknown_method"
	})
}

// Who gives a call up ends the program that works at it: by hanging up, by disconnecting, by the time limit.
func TestGivenUpCalls(t *testing.T) {
	c := newCluster(t)
	dir := t.TempDir()
	const program = `read -r id; echo $$ >"$DIR/$id"; trap 'echo ended >"$DIR/$id"; exit 1' TERM; while :; do sleep 0.05; done`
	c.replies(t, "r1", "work", program, []string{"DIR=" + dir})
	c.knows(t, "work", 1)
	said := func(id int) string {
		text, _ := os.ReadFile(filepath.Join(dir, fmt.Sprint(id))) // not there yet
		return string(text)
	}
	c.gw1.call("work?timeout_ms=700", 1).want(t, http.StatusGatewayTimeout, "timeout")
	eventually(t, "the time limit ends the program", func() bool { return said(1) == "ended\n" })
	for i, over := range carriers {
		w := dial(t, c.gw2, over, false)
		if err := w.greet("42"); err != nil {
			t.Fatal(err)
		}
		if err := w.write(object{"type": "call", "ref": 1, "method": "work", "data": i + 2, "timeout_ms": 600_000}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the program runs", func() bool { return said(i+2) != "" })
		w.conn.Close()
		eventually(t, "the end of the client ends the program", func() bool { return said(i+2) == "ended\n" })
	}
}
