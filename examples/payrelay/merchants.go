package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
)

// merchants are the back ends that may connect: their names, by the hash of their tokens. To look up a hash takes the same time
// however much of a guessed token is right.
type merchants map[[sha256.Size]byte]string

// readMerchants reads a JSON object of token and merchant.
func readMerchants(path string) (merchants, error) {
	p, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("merchants: %w", err)
	}
	var byToken map[string]string
	if err := json.Unmarshal(p, &byToken); err != nil {
		return nil, fmt.Errorf("merchants: %s: %w", path, err)
	}
	known := make(merchants, len(byToken))
	for token, name := range byToken {
		if token == "" || !merchantName.MatchString(name) {
			return nil, fmt.Errorf("merchants: %s: %q: want a token, and %s", path, name, wants["merchant"])
		}
		known[sha256.Sum256([]byte(token))] = name
	}
	return known, nil
}

// authenticate makes a merchant the bus's user of its name. What it claims besides its token counts for nothing.
func (m merchants) authenticate(_ context.Context, c gateway.Credentials) (gateway.Identity, error) {
	name, ok := m[sha256.Sum256([]byte(c.Token))]
	if !ok {
		return gateway.Identity{}, bus.Reject("unauthorized", "no merchant has this token")
	}
	return gateway.Identity{User: name}, nil
}
