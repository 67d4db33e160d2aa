package gateway

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

func TestUpgradeThatCarriesWhoItIs(t *testing.T) {
	r := newRig(t, nil)
	for query, want := range map[string]fields{
		"user=42":                      {"user": "42", "groups": []any{}},
		"group=news&group=sport":       {"user": nil, "groups": []any{"news", "sport"}},
		"user=42&group=news&token=any": {"user": "42", "groups": []any{"news"}},
	} {
		c := r.connect(SubprotocolJSON, query)
		welcome := c.expect("welcome")
		if welcome["user"] != want["user"] || !reflect.DeepEqual(welcome["groups"], want["groups"]) || welcome["ping_ms"] != 25000.0 {
			t.Errorf("%s: welcome = %v", query, welcome)
		}
		c.say(fields{"type": "hello", "user": "other"})
		c.expectError("bad_frame")
	}
}

func TestNoSubprotocolIsJSON(t *testing.T) {
	r := newRig(t, nil)
	status, header := r.upgrade(nil, "user=42")
	if subprotocol := header.Get("Sec-WebSocket-Protocol"); status != 101 || subprotocol != "" {
		t.Fatalf("status %d, subprotocol %q", status, subprotocol)
	}
}

func TestHelloTimeout(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, &Options{HelloTimeout: 30 * time.Millisecond})
		last := r.connect(subprotocol, "").expectClose(4002)
		if subprotocol == "" && last["code"] != "timeout" {
			t.Errorf("last frame = %v, want an error that says why", last)
		}
	})
}

func TestHelloMustComeFirst(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.connect(subprotocol, "")
		c.say(fields{"type": "ping"})
		c.say(fields{"type": "hello"})
		c.expectError("bad_frame")
		if subprotocol == "" {
			c.expectClose(0) // and the hello that followed changes nothing
			return
		}
		c.expect("welcome")
	})
}

func TestGarbageInsteadOfHello(t *testing.T) {
	r := newRig(t, nil)
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x01\x02\n", "{\n", "[]\n", "null\n"} {
		c := r.connect("", "")
		if _, err := c.conn.Write([]byte(garbage)); err != nil {
			t.Fatal(err)
		}
		c.expectError("bad_frame")
		c.expectClose(0)
	}
}

// byToken authenticates by a table, and says more of an error than a client may read.
func byToken(_ context.Context, c Credentials) (Identity, error) {
	switch c.Token {
	case "good":
		return Identity{User: "42", Groups: []string{"staff"}, Rights: "of 42"}, nil
	case "expired":
		return Identity{}, bus.Reject("expired", "the token has expired")
	}
	return Identity{}, errors.New("secret detail")
}

func TestAuthenticate(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, &Options{Authenticate: byToken})
		c := r.connect(subprotocol, "")
		c.say(fields{"type": "hello", "token": "good", "user": "root", "groups": []string{"root"}})
		if w := c.expect("welcome"); w["user"] != "42" || !reflect.DeepEqual(w["groups"], []any{"staff"}) {
			t.Errorf("welcome = %v: the hook decides, not the client", w)
		}
		for token, want := range map[string]string{"": "unauthorized", "bad": "unauthorized", "expired": "the token has expired"} {
			c := r.connect(subprotocol, "")
			c.say(fields{"type": "hello", "token": token})
			last := c.expectClose(4001)
			if subprotocol == "" && (last["code"] != "unauthorized" || last["message"] != want) {
				t.Errorf("token %q: last frame = %v, want %q", token, last, want)
			}
		}
	})
}

func TestAuthenticateUpgrade(t *testing.T) {
	headers := make(chan Credentials, 8)
	r := newRig(t, &Options{Authenticate: func(ctx context.Context, c Credentials) (Identity, error) {
		headers <- c
		return byToken(ctx, c)
	}})
	r.connect(SubprotocolMsgpack, "token=good").expect("welcome")
	r.connect(SubprotocolMsgpack, "token=bad").expectClose(4001)
	if status, _ := r.upgrade(http.Header{"Authorization": {"bearer  good"}, "X-Test": {"1"}}, "user=root"); status != 101 {
		t.Fatalf("status %d", status)
	}
	<-headers
	<-headers
	if c := <-headers; c.Token != "good" || c.User != "" || c.Header.Get("X-Test") != "1" || c.Carrier != bus.CarrierWebSocket ||
		!strings.HasPrefix(c.RemoteAddr, "127.0.0.1:") {
		t.Errorf("credentials = %+v", c)
	}
}

func TestBadNames(t *testing.T) {
	r := newRig(t, &Options{MaxGroups: 2})
	for _, hello := range []fields{
		{"type": "hello", "user": strings.Repeat("x", 256)},
		{"type": "hello", "user": "a\nb"},
		{"type": "hello", "groups": []string{""}},
		{"type": "hello", "groups": []string{"a", "b", "c"}},
	} {
		c := r.connect(SubprotocolJSON, "")
		c.say(hello)
		c.expectClose(1008)
	}
}

func TestOrigins(t *testing.T) {
	r := newRig(t, &Options{AllowedOrigins: []string{"https://app.example.com"}})
	own := "http" + strings.TrimPrefix(r.url, "ws")
	for origin, want := range map[string]int{
		"": 101, own: 101, "https://app.example.com": 101, "HTTPS://APP.example.com": 101,
		"https://evil.example.com": 403, "https://app.example.com.evil.com": 403, "null": 403, "http://app.example.com": 403,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		if status, _ := r.upgrade(header, "user=42"); status != want {
			t.Errorf("origin %q: status %d, want %d", origin, status, want)
		}
	}
	if _, err := newGateway(nil, "", nil, &Options{AllowedOrigins: []string{"app.example.com"}}); err == nil {
		t.Error("an origin without a scheme was accepted")
	}
}

func TestPlainRequestIsRefused(t *testing.T) {
	r := newRig(t, nil)
	response, err := http.Get("http" + strings.TrimPrefix(r.url, "ws"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("status = %s", response.Status)
	}
	http.DefaultClient.CloseIdleConnections()
}
