package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
)

const secret = "a secret that is long enough for HS256"

func sign(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func inAnHour() int64 { return time.Now().Add(time.Hour).Unix() }

func TestTokens(t *testing.T) {
	hook, err := (&authFlags{mode: authJWT, secret: secret, issuer: "me", audience: "gw"}).authenticate()
	if err != nil {
		t.Fatal(err)
	}
	good := func(changes ...any) jwt.MapClaims {
		c := jwt.MapClaims{"sub": "42", "groups": []string{"a", "b"}, "exp": inAnHour(), "iss": "me", "aud": "gw"}
		for i := 0; i < len(changes); i += 2 {
			if c[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
				delete(c, changes[i].(string))
			}
		}
		return c
	}
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), good())
	who, err := hook(t.Context(), gateway.Credentials{Token: token, User: "root", Groups: []string{"admins"}})
	if err != nil || who.User != "42" || !slices.Equal(who.Groups, []string{"a", "b"}) {
		t.Errorf("got %+v, %v", who, err)
	}
	who, err = hook(t.Context(), gateway.Credentials{Token: sign(t, jwt.SigningMethodHS512, []byte(secret), good("groups", "a"))})
	if err != nil || !slices.Equal(who.Groups, []string{"a"}) {
		t.Errorf("one group: got %+v, %v", who, err)
	}
	who, err = hook(t.Context(), gateway.Credentials{Token: sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "42",
		"exp": inAnHour(), "iss": "me", "aud": "gw", "groups": nil})})
	if err != nil || len(who.Groups) != 0 {
		t.Errorf("no group: got %+v, %v", who, err)
	}
	for what, token := range map[string]string{
		"needed":         "",
		"not valid":      "nonsense",
		"not valid ":     sign(t, jwt.SigningMethodHS256, []byte("another secret"), good()),
		"not valid  ":    sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()),
		"sub":            sign(t, jwt.SigningMethodHS256, []byte(secret), good("sub", nil)),
		"exp":            sign(t, jwt.SigningMethodHS256, []byte(secret), good("exp", nil)),
		"expired":        sign(t, jwt.SigningMethodHS256, []byte(secret), good("exp", time.Now().Add(-time.Hour).Unix())),
		"yet":            sign(t, jwt.SigningMethodHS256, []byte(secret), good("nbf", inAnHour())),
		"issuer":         sign(t, jwt.SigningMethodHS256, []byte(secret), good("iss", "you")),
		"audience":       sign(t, jwt.SigningMethodHS256, []byte(secret), good("aud", "else")),
		"not valid    ":  sign(t, jwt.SigningMethodHS256, []byte(secret), good("ackbus", map[string]any{"join": 5})),
		"not valid     ": sign(t, jwt.SigningMethodHS256, []byte(secret), good("ackbus", "join")),
		"not valid   ":   sign(t, jwt.SigningMethodHS256, []byte(secret), good("groups", 5)),
	} {
		_, err := hook(t.Context(), gateway.Credentials{Token: token})
		refused, ok := errors.AsType[*bus.Rejection](err)
		if !ok || !strings.Contains(refused.Message, strings.TrimSpace(what)) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// A token whose header asks for extensions is refused, whatever they are, for none is known (RFC 7515, section 4.1.11).
func TestCriticalHeader(t *testing.T) {
	hook, err := (&authFlags{mode: authJWT, secret: secret}).authenticate()
	if err != nil {
		t.Fatal(err)
	}
	for _, critical := range []any{[]string{"exp"}, []string{"b64"}, []string{}, "exp", nil} {
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "42", "exp": inAnHour()})
		token.Header["crit"], token.Header["b64"] = critical, true
		text, err := token.SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		_, err = hook(t.Context(), gateway.Credentials{Token: text})
		if refused, ok := errors.AsType[*bus.Rejection](err); !ok || !strings.Contains(refused.Message, "crit") {
			t.Errorf("crit %v: %v", critical, err)
		}
	}
}

func TestPublicKeys(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method jwt.SigningMethod
		key    crypto.Signer
	}{{jwt.SigningMethodRS256, rsaKey}, {jwt.SigningMethodES256, ecKey}, {jwt.SigningMethodEdDSA, edKey}} {
		name, text := writePublicKey(t, c.key)
		hook, err := (&authFlags{mode: authJWT, publicKey: name}).authenticate()
		if err != nil {
			t.Fatal(err)
		}
		claims := jwt.MapClaims{"sub": "42", "exp": inAnHour()}
		who, err := hook(t.Context(), gateway.Credentials{Token: sign(t, c.method, c.key, claims)})
		if err != nil || who.User != "42" {
			t.Errorf("%s: %+v, %v", c.method.Alg(), who, err)
		}
		// The old trick: a public key is no secret, and must not serve as one.
		if _, err := hook(t.Context(), gateway.Credentials{Token: sign(t, jwt.SigningMethodHS256, text, claims)}); err == nil {
			t.Errorf("%s: signed with the public key as a secret, and accepted", c.method.Alg())
		}
	}
}

func writePublicKey(t *testing.T, key crypto.Signer) (string, []byte) {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	name := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, text
}

func TestBadKeyFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"text":    "nonsense",
		"private": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})),
		"broken":  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (&authFlags{mode: authJWT, publicKey: file}).authenticate(); exitCode(err) != exitUsage || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&authFlags{mode: authJWT, secretFile: empty}).authenticate(); err == nil {
		t.Error("an empty secret was taken")
	}
	if _, err := (&authFlags{keyFile: empty}).apiKeys(); err == nil {
		t.Error("a key file without a key was taken")
	}
}

func TestAPIKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("# publishers\n one \n\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := (&authFlags{keys: []string{"zero"}, keyFile: file}).apiKeys()
	if err != nil || !slices.Equal(keys, []string{"zero", "one", "two"}) {
		t.Errorf("got %q, %v", keys, err)
	}
}
