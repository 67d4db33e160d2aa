package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
)

// clockSkew is by how much a token's times may be off.
const clockSkew = 30 * time.Second

// A verifier knows who a token speaks for.
type verifier struct {
	parser *jwt.Parser
	key    any
}

// newVerifier accepts the algorithms of the one key alone: a token must not choose (RFC 8725, section 3.1).
func newVerifier(f *authFlags) (*verifier, error) {
	key, methods, err := verifyingKey(f)
	if err != nil {
		return nil, err
	}
	opts := []jwt.ParserOption{jwt.WithValidMethods(methods), jwt.WithExpirationRequired(), jwt.WithLeeway(clockSkew)}
	if f.issuer != "" {
		opts = append(opts, jwt.WithIssuer(f.issuer))
	}
	if f.audience != "" {
		opts = append(opts, jwt.WithAudience(f.audience))
	}
	return &verifier{jwt.NewParser(opts...), key}, nil
}

func verifyingKey(f *authFlags) (key any, methods []string, err error) {
	given := 0
	for _, s := range []string{f.secret, f.secretFile, f.publicKey} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return nil, nil, errors.New("want one of --jwt-secret, --jwt-secret-file and --jwt-public-key")
	}
	if f.publicKey != "" {
		return readPublicKey(f.publicKey)
	}
	secret := []byte(f.secret)
	if f.secretFile != "" {
		if secret, err = os.ReadFile(f.secretFile); err != nil {
			return nil, nil, err
		}
		secret = []byte(strings.TrimRight(string(secret), "\r\n"))
	}
	if len(secret) == 0 {
		return nil, nil, errors.New("the secret is empty")
	}
	return secret, []string{"HS256", "HS384", "HS512"}, nil
}

func readPublicKey(name string) (crypto.PublicKey, []string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, nil, fmt.Errorf("%s holds no PEM block", name)
	}
	key, err := parsePublicKey(block)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
	case *ecdsa.PublicKey:
		return k, []string{"ES256", "ES384", "ES512"}, nil
	case ed25519.PublicKey:
		return k, []string{"EdDSA"}, nil
	}
	return nil, nil, fmt.Errorf("%s: a key of type %T: want RSA, ECDSA or Ed25519", name, key)
}

func parsePublicKey(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.PublicKey, nil
	}
	return nil, fmt.Errorf("a PEM block of type %q: want PUBLIC KEY", block.Type)
}

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims
	Groups names  `json:"groups"`
	Ackbus rights `json:"ackbus"`
}

// names take one name, as some issuers write it, or a list.
type names []string

// UnmarshalJSON takes a string or a list of strings; null is none.
func (n *names) UnmarshalJSON(p []byte) error {
	if string(p) == "null" {
		return nil
	}
	var one string
	if json.Unmarshal(p, &one) == nil {
		*n = names{one}
		return nil
	}
	var all []string
	if err := json.Unmarshal(p, &all); err != nil {
		return errors.New("want a name or a list of names")
	}
	*n = all
	return nil
}

// errCritical is of a token whose header names extensions that a verifier must know. None is known here.
var errCritical = errors.New("the token's header has crit: extensions that this node does not know")

// keyFor refuses what the parser would let pass (RFC 7515, section 4.1.11).
func (v *verifier) keyFor(token *jwt.Token) (any, error) {
	if _, has := token.Header["crit"]; has {
		return nil, errCritical
	}
	return v.key, nil
}

// authenticate says who the token speaks for, or why it does not.
func (v *verifier) authenticate(_ context.Context, c gateway.Credentials) (gateway.Identity, error) {
	if c.Token == "" {
		return gateway.Identity{}, bus.Reject("unauthorized", "a token is needed")
	}
	var said claims
	_, err := v.parser.ParseWithClaims(c.Token, &said, v.keyFor)
	if err != nil {
		return gateway.Identity{}, bus.Reject("unauthorized", tokenFault(err))
	}
	if said.Subject == "" {
		return gateway.Identity{}, bus.Reject("unauthorized", "the token names no user: the claim sub is missing")
	}
	return gateway.Identity{User: said.Subject, Groups: said.Groups, Rights: &said.Ackbus}, nil
}

// tokenFault says what is wrong with a token, without the details that would help to forge one.
func tokenFault(err error) string {
	switch {
	case errors.Is(err, errCritical):
		return errCritical.Error()
	case errors.Is(err, jwt.ErrTokenExpired):
		return "the token has expired"
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return "the token is not valid yet"
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return "the token lacks a claim that is required: exp, or the issuer or the audience"
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), errors.Is(err, jwt.ErrTokenInvalidAudience):
		return "the token is from another issuer or for another audience"
	}
	return "the token is not valid"
}
