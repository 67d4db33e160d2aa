package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
	"github.com/ackbus/ackbus/internal/redistest"
)

func TestPatterns(t *testing.T) {
	for pattern, names := range map[string]map[string]bool{
		"":          {"": true, "x": false},
		"news":      {"news": true, "new": false, "newss": false, "": false},
		"*":         {"": true, "all": true, "topic:x": true},
		"**":        {"": true, "x": true},
		"chat.*":    {"chat.": true, "chat.7": true, "chat.7.8": true, "chat": false, "xchat.7": false},
		"*.7":       {".7": true, "chat.7": true, "chat.77": false},
		"a*a":       {"a": false, "aa": true, "aba": true, "ab": false},
		"a*b*c":     {"abc": true, "a-b-b-c": true, "acb": false, "abcb": false},
		"*ab*ab*":   {"abab": true, "aab": false, "xababy": true, "ab": false},
		"user:4?[2": {"user:4?[2": true, "user:452": false},
	} {
		for name, want := range names {
			if got := matches(pattern, name); got != want {
				t.Errorf("%q matches %q: %v", pattern, name, got)
			}
		}
	}
}

func TestAuthorize(t *testing.T) {
	hook, err := (&authFlags{mode: authJWT, secret: secret}).authenticate()
	if err != nil {
		t.Fatal(err)
	}
	identity := func(granted any) gateway.Identity {
		token := sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "42", "exp": inAnHour(), "ackbus": granted})
		who, err := hook(t.Context(), gateway.Credentials{Token: token})
		if err != nil {
			t.Fatal(err)
		}
		return who
	}
	who := identity(map[string]any{"join": []string{"news", "chat.*"}, "send": "topic:chat.*", "call": nil, "fly": true})
	nothing := identity(nil)
	for _, c := range []struct {
		kind, target string
		allowed      bool
	}{
		{gateway.ActionJoin, "news", true}, {gateway.ActionJoin, "chat.7", true}, {gateway.ActionJoin, "staff", false},
		{gateway.ActionSend, "topic:chat.7", true}, {gateway.ActionSend, "topic:news", false}, {gateway.ActionSend, "news", false},
		{gateway.ActionCall, "math.sum", false}, {"fly", "", false},
	} {
		if err := authorize(t.Context(), gateway.Action{Identity: who, Kind: c.kind, Target: c.target}); (err == nil) != c.allowed {
			t.Errorf("%s %s: %v", c.kind, c.target, err)
		}
		for _, other := range []gateway.Identity{nothing, {User: "42"}} {
			err := authorize(t.Context(), gateway.Action{Identity: other, Kind: c.kind, Target: c.target})
			if r, ok := errors.AsType[*bus.Rejection](err); !ok || r.Code != "forbidden" {
				t.Errorf("%s %s without the claim: %v", c.kind, c.target, err)
			}
		}
	}
}

// A client whose token allows it joins and sends; what the token does not list is forbidden.
func TestRightsOfToken(t *testing.T) {
	gw := serveReady(t, "--redis", redistest.Shared(t).URL(), "--auth", "jwt", "--jwt-secret", secret)
	conn, err := net.Dial("tcp", strings.TrimPrefix(gw.tcp, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(conn)
	say := func(frame, want string, words ...string) {
		t.Helper()
		if _, err := fmt.Fprintln(conn, frame); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() {
			t.Fatalf("%s: no answer, %v", frame, answers.Err())
		}
		var got struct{ Type, Code string }
		if err := json.Unmarshal(answers.Bytes(), &got); err != nil || strings.TrimSpace(got.Type+" "+got.Code) != want {
			t.Errorf("%s: %s, want %s", frame, answers.Text(), want)
		}
		for _, word := range words {
			if !strings.Contains(answers.Text(), word) {
				t.Errorf("%s: %s does not say %s", frame, answers.Text(), word)
			}
		}
	}
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "42", "exp": inAnHour(),
		"ackbus": map[string]any{"join": []string{"news", "chat.*"}, "send": []string{"topic:chat.*"}}})
	say(`{"type":"hello","token":"`+token+`"}`, "welcome")
	say(`{"type":"join","ref":1,"group":"chat.7"}`, "ok")
	say(`{"type":"join","ref":2,"group":"staff"}`, "error forbidden", "ackbus.join", "staff")
	say(`{"type":"send","ref":3,"to":"topic:chat.7","event":"e"}`, "ok")
	say(`{"type":"send","ref":4,"to":"topic:chat.7","event":"e","receipt":true}`, "receipt", "no_receiver")
	say(`{"type":"send","ref":5,"to":"all","event":"e"}`, "error forbidden", "ackbus.send", "all")
	a := call(t, http.MethodPost, gw.http+"/v1/request", `{"to":"group:chat.7","event":"e","level":"claimed"}`)
	if a.status != http.StatusOK {
		t.Errorf("the group that was joined: %d %s", a.status, a.body)
	}
}
