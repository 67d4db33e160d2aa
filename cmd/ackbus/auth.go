package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/gateway"
)

// The ways in which clients say who they are.
const (
	authNone = "none"
	authJWT  = "jwt"
)

// authenticate is the gateway's hook.
type authenticate = func(context.Context, gateway.Credentials) (gateway.Identity, error)

// authFlags say who may connect, and who may call the HTTP API.
type authFlags struct {
	mode       string
	secret     string
	secretFile string
	publicKey  string
	issuer     string
	audience   string
	keys       []string
	keyFile    string
}

func (f *authFlags) add(flags *pflag.FlagSet) {
	parsed(flags, &f.mode, "auth", "none|jwt", authNone, "how clients say who they are; none believes them", oneOf(authNone, authJWT))
	flags.StringVar(&f.secret, "jwt-secret", "", "secret of HS256, HS384 and HS512 tokens")
	flags.StringVar(&f.secretFile, "jwt-secret-file", "", "file that holds the secret; a last newline is not part of it")
	flags.StringVar(&f.publicKey, "jwt-public-key", "", "PEM file with the public key of RS256, ES256 or EdDSA tokens")
	flags.StringVar(&f.issuer, "jwt-issuer", "", "what the claim iss must be")
	flags.StringVar(&f.audience, "jwt-audience", "", "what the claim aud must hold")
	flags.StringArrayVar(&f.keys, "api-key", nil, "key that the HTTP API accepts (repeatable; with none everybody may call it)")
	flags.StringVar(&f.keyFile, "api-key-file", "", "file with one API key a line; empty lines and those that begin with # don't count")
}

// authenticate makes the hook that the flags ask for.
func (f *authFlags) authenticate() (authenticate, error) {
	var none authenticate // the gateway takes clients at their word
	if f.mode == authNone {
		if f.secret != "" || f.secretFile != "" || f.publicKey != "" {
			return nil, usageError("a JWT key was given, but --auth is none: say --auth jwt")
		}
		return none, nil
	}
	v, err := newVerifier(f)
	if err != nil {
		return nil, usageError("--auth jwt: %w", err)
	}
	return v.authenticate, nil
}

// apiKeys gathers the keys from the flags and the file.
func (f *authFlags) apiKeys() ([]string, error) {
	keys := f.keys
	if f.keyFile != "" {
		fromFile, err := keyLines(f.keyFile)
		if err != nil {
			return nil, usageError("--api-key-file: %w", err)
		}
		if len(fromFile) == 0 {
			return nil, usageError("--api-key-file: %s holds no key", f.keyFile)
		}
		keys = append(keys, fromFile...)
	}
	for _, key := range keys {
		if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, usageError("an API key is empty or holds a space")
		}
	}
	return keys, nil
}

func keyLines(name string) ([]string, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	var keys []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			keys = append(keys, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return keys, nil
}
