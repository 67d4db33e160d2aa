// Package relaytest is the conformance suite of relays: what every implementation of relay.Relay must do, in real time and
// without sleeps. It is run against the one in memory, against Redis and against miniredis.
package relaytest

import (
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/leak"
)

// Options are what a case needs of a relay. Zero values are the implementation's defaults.
type Options struct {
	OutboxPackets int           // how many packets the outbox holds
	Linger        time.Duration // how long a released channel is kept
}

// A Factory makes relays that share one Redis. Hooks that are nil skip the cases that need them.
type Factory struct {
	// New returns a relay that was not started. The suite closes it.
	New func(t *testing.T, o Options) relay.Relay
	// Prefix begins the name of every channel that the suite uses. It has no glob characters. Default empty.
	Prefix string
	// Lanes is how many lanes each relay has. Default 4.
	Lanes int
	// Sever loses every lane connection of the nodes, which are all that there are; they can connect again at once.
	Sever func(t *testing.T, nodeIDs []string)
	// Stall lets Redis answer nobody, at least not the node, until resume is called, though connections stand. It lasts for less
	// than a second.
	Stall func(t *testing.T, nodeID string) (resume func())
	// Away takes Redis away with all connections until back is called.
	Away func(t *testing.T) (back func())
	// Lacks names the cases that the implementation can't pass, each with the reason.
	Lacks map[Case]string
}

// A Case is one case of the suite.
type Case string

// The cases.
const (
	CaseCount        Case = "Count"        // the count is that of the connections that hold the channel
	CaseSelf         Case = "Self"         // a node hears itself, and Publish copies the payload
	CaseOrder        Case = "Order"        // concurrent publishers' packets arrive, each one's in order
	CaseConcatenated Case = "Concatenated" // payloads may be merged, and stay whole
	CaseLarge        Case = "Large"        // a packet over MaxPayload goes alone
	CasePattern      Case = "Pattern"      // glob-style patterns
	CaseBoth         Case = "Both"         // a channel and a pattern of one node count two
	CaseLinger       Case = "Linger"       // a released channel lingers, then is given up
	CaseAgain        Case = "Again"        // a channel that is wanted again while it lingers is kept
	CaseShared       Case = "Shared"       // a channel is held until its last release
	CaseConfirmed    Case = "Confirmed"    // Subscribe returns once Redis has confirmed
	CaseCancelled    Case = "Cancelled"    // a Subscribe that fails holds nothing
	CaseGuard        Case = "Guard"        // a guarded publish counts beacons
	CaseAlive        Case = "Alive"        // Alive counts lanes
	CaseTokens       Case = "Tokens"       // one result for each token, none for zero
	CaseFull         Case = "Full"         // a full outbox refuses, or lets wait until the context ends
	CaseClose        Case = "Close"        // Close ends everything and may be called again
	CaseCloseQueued  Case = "CloseQueued"  // Close reports what was queued
	CaseLeave        Case = "Leave"        // Close hands over what was counted, and sends the answers
	CaseSever        Case = "Sever"        // lanes fall, and stand again with all channels
	CaseAway         Case = "Away"         // definite answers while Redis is away, and all is well when it is back
)

// Run runs the suite. newFactory is called for each case.
func Run(t *testing.T, newFactory func(t *testing.T) Factory) {
	cases := []struct {
		name Case
		run  func(t *testing.T, f Factory)
	}{
		{CaseCount, testCount},
		{CaseSelf, testSelf},
		{CaseOrder, testOrder},
		{CaseConcatenated, testConcatenated},
		{CaseLarge, testLarge},
		{CasePattern, testPattern},
		{CaseBoth, testBoth},
		{CaseLinger, testLinger},
		{CaseAgain, testAgain},
		{CaseShared, testShared},
		{CaseConfirmed, testConfirmed},
		{CaseCancelled, testCancelled},
		{CaseGuard, testGuard},
		{CaseAlive, testAlive},
		{CaseTokens, testTokens},
		{CaseFull, testFull},
		{CaseClose, testClose},
		{CaseCloseQueued, testCloseQueued},
		{CaseLeave, testLeave},
		{CaseSever, testSever},
		{CaseAway, testAway},
	}
	for _, c := range cases {
		t.Run(string(c.name), func(t *testing.T) {
			f := newFactory(t)
			if f.Lanes == 0 {
				f.Lanes = 4
			}
			if reason := f.Lacks[c.name]; reason != "" {
				t.Skip(reason)
			}
			leak.Check(t)
			c.run(t, f)
		})
	}
}
