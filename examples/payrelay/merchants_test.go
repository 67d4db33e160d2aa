package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/gateway"
)

func TestMerchants(t *testing.T) {
	known, err := readMerchants("merchants.json")
	if err != nil {
		t.Fatal(err)
	}
	claims := gateway.Credentials{Token: "bakery-demo-token", User: "florist", Groups: []string{"admins"}}
	who, err := known.authenticate(t.Context(), claims)
	if err != nil || who.User != "bakery" || len(who.Groups) > 0 {
		t.Errorf("got %+v, %v; want the bakery, whatever it claims", who, err)
	}
	for _, token := range []string{"", "bakery", "bakery-demo-toke"} {
		if who, err := known.authenticate(t.Context(), gateway.Credentials{Token: token, User: "bakery"}); err == nil {
			t.Errorf("token %q: let in as %+v", token, who)
		}
	}
}

func TestReadMerchantsRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "merchants.json")
	for content, says := range map[string]string{
		`{"":"bakery"}`:     "want a token",
		`{"t":"The Baker"}`: "want a token, and a name",
		`["bakery"]`:        "array",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readMerchants(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q in it", content, err, says)
		}
	}
	if _, err := readMerchants(path + ".missing"); err == nil {
		t.Error("a file that is not there was read")
	}
}
