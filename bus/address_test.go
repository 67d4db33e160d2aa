package bus

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
)

const testSocket = "0193b5a8-7c5e-7d2b-9f43-1c2d3e4f5a6b.1z"

func TestParseAddress(t *testing.T) {
	longest := strings.Repeat("n", MaxName)
	for text, want := range map[string]Address{
		"user:42":                            User("42"),
		"group:news":                         Group("news"),
		"group:a:b":                          Group("a:b"),
		"group:" + longest:                   Group(longest),
		"node:gw-1":                          NodeNamed("gw-1"),
		"topic:chat.42":                      Topic("chat.42"),
		"user:Zoë 😀":                         User("Zoë 😀"),
		"socket:" + testSocket:               Socket(testSocket),
		"method:math.sum":                    Method("math.sum"),
		"method:math.sum@" + testSocket[:36]: MethodAt("math.sum", uuid.MustParse(testSocket[:36])),
		"all":                                Everyone(),
		"user:all":                           User("all"),
		"topic:*":                            Topic("*"),
	} {
		got, err := ParseAddress(text)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
		if got.String() != text || got.Kind()+":"+got.Name() != text && text != "all" {
			t.Errorf("%q: reads %q, kind %q, name %q", text, got.String(), got.Kind(), got.Name())
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                                   "want kind:name",
		"42":                                 "want kind:name",
		"ALL":                                "want kind:name",
		":42":                                "kind",
		"all:":                               "want kind:name",
		"all:x":                              "no name",
		"User:42":                            "unknown kind",
		"usr:42":                             "want user, group, socket, node, topic, method or all",
		"user:":                              "needs a name",
		"user:" + strings.Repeat("n", 256):   "at most 255",
		"user:a\nb":                          "control character",
		"user:a\x00":                         "control character",
		"user:a\u0085":                       "control character",
		"user:\xff":                          "UTF-8",
		"socket:42":                          "bad socket",
		"method:":                            "needs a name",
		"method:m@":                          "a node's ID after the @",
		"method:m@" + testSocket[:35]:        "a node's ID after the @",
		"method:@" + testSocket[:36]:         "needs a name",
		"method:" + strings.Repeat("n", 201): "at most 200",
		"socket:" + testSocket[:36]:          "bad socket",
		"socket:" + testSocket[:37]:          "bad socket",
		"socket:" + testSocket[:37] + strings.Repeat("0", 200): "bad socket",
		"socket:" + testSocket[:37] + "1\n":                    "bad socket",
		"socket:" + testSocket + "00000000000zz":               "bad socket",
		"socket:x" + testSocket[1:]:                            "bad socket",
		"socket:{" + testSocket[1:]:                            "bad socket",
		strings.Repeat("x", 1<<20):                             "want kind:name",
		strings.Repeat("x", 1<<20) + ":1":                      "unknown kind",
	} {
		got, err := ParseAddress(text)
		switch {
		case !errors.Is(err, ErrAddress) || !got.IsZero():
			t.Errorf("%.40q: got %v, %v, want an error that wraps ErrAddress", text, got, err)
		case !strings.Contains(err.Error(), says):
			t.Errorf("%.40q: %q does not say %q", text, err, says)
		case len(err.Error()) > 400:
			t.Errorf("%.40q: the error has %d bytes", text, len(err.Error()))
		}
	}
}

func TestAddressZero(t *testing.T) {
	var zero Address
	if !zero.IsZero() || zero.String() != "" || Everyone().IsZero() {
		t.Errorf("zero is %q, zero: %v; everyone zero: %v", zero, zero.IsZero(), Everyone().IsZero())
	}
	if err := zero.check(); !errors.Is(err, ErrAddress) {
		t.Errorf("the zero address passes its check: %v", err)
	}
}

func TestAddressChecksWhatGoMade(t *testing.T) {
	for _, a := range []Address{User(""), Group("a\tb"), Topic(strings.Repeat("n", 256)), NodeNamed("\xff"), Socket("nobody")} {
		if err := a.check(); !errors.Is(err, ErrAddress) {
			t.Errorf("%q passes its check: %v", a, err)
		}
	}
}

func TestAddressAsJSON(t *testing.T) {
	p, err := json.Marshal(map[string]Address{"to": User("42")})
	if err != nil || string(p) != `{"to":"user:42"}` {
		t.Fatalf("got %s, %v", p, err)
	}
	var got struct{ To Address }
	if err := json.Unmarshal(p, &got); err != nil || got.To != User("42") {
		t.Errorf("got %v, %v", got.To, err)
	}
	if err := json.Unmarshal([]byte(`{"to":"usr:1"}`), &got); !errors.Is(err, ErrAddress) || got.To != User("42") {
		t.Errorf("a bad address: got %v, %v, want ErrAddress and no change", got.To, err)
	}
}

func TestSocketNode(t *testing.T) {
	node, err := socketNode(testSocket)
	if err != nil || node != uuid.MustParse(testSocket[:36]) {
		t.Errorf("got %v, %v", node, err)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"all", "user:42", "socket:" + testSocket, "node:", ":", "topic:\xff", "group:a\x00b", "all:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			if !errors.Is(err, ErrAddress) || !a.IsZero() {
				t.Fatalf("%q: got %v, %v", s, a, err)
			}
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a || a.String() != s {
			t.Fatalf("%q reads %q, then %v, %v", s, a, again, err)
		}
		if len(a.Name()) > MaxName || strings.ContainsAny(a.Name(), "\x00\r\n") {
			t.Fatalf("%q was let through", s)
		}
	})
}
