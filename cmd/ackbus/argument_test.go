package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDataArgument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data.json")
	if err := os.WriteFile(file, []byte("{\n \"a\" : 1\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ arg, in, want string }{
		{`{"a": 1}`, "", `{"a":1}`},
		{`"text"`, "", `"text"`},
		{"-", "[1, 2]\n", `[1,2]`},
		{"@" + file, "", `{"a":1}`},
	} {
		body, err := dataArgument([]string{"to", "event", c.arg}, strings.NewReader(c.in))
		if err != nil || string(body.Raw()) != c.want {
			t.Errorf("%s: %s, %v", c.arg, body.Raw(), err)
		}
	}
	if body, err := dataArgument([]string{"to", "event"}, nil); err != nil || !body.IsZero() {
		t.Errorf("none: %s, %v", body.Raw(), err)
	}
	for _, bad := range []string{"", "{", "[1", "-", `{"a":1} {"b":2}`, strings.Repeat("[", 65) + strings.Repeat("]", 65)} {
		if _, err := dataArgument([]string{"to", "event", bad}, strings.NewReader("")); exitCode(err) != exitUsage || err == nil {
			t.Errorf("%.20q was taken: %v", bad, err)
		}
	}
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:7070": true, "127.8.8.8:1": true, "[::1]:7070": true, "localhost:0": true,
		":7070": false, "0.0.0.0:7070": false, "[::]:7070": false, "10.0.0.1:7070": false,
	} {
		if got, err := isLoopback(address); err != nil || got != want {
			t.Errorf("%s: %v, %v", address, got, err)
		}
	}
	for _, bad := range []string{"", "7070", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1"} {
		if _, err := isLoopback(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestClip(t *testing.T) {
	if got := clip("a\x1b[31m\nb\u009b"); got != "a\uFFFD[31m\uFFFDb\uFFFD" {
		t.Errorf("got %q", got)
	}
	if got := []rune(clip(strings.Repeat("é", 100))); len(got) != maxCell {
		t.Errorf("got %d characters", len(got))
	}
}
