package relay

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// sentPackets reads back from a batch what would be sent, as "token payload" by channel.
func sentPackets(t *rapid.T, b *batch) map[string][]string {
	t.Helper()
	sent := make(map[string][]string)
	for _, c := range b.commands[:b.used] {
		if len(c.tickets) > 1 && (len(c.payload) > MaxPayload || c.beacons != nil) {
			t.Fatalf("%d packets share a command of %d bytes, guarded %v", len(c.tickets), len(c.payload), c.beacons != nil)
		}
		start := 0
		for _, k := range c.tickets {
			sent[c.channel] = append(sent[c.channel], fmt.Sprintf("%d %s", k.token, c.payload[start:k.end]))
			start = k.end
		}
		if start != len(c.payload) {
			t.Fatalf("%d bytes belong to no packet", len(c.payload)-start)
		}
	}
	return sent
}

// Whatever is added, dropped and used again: each packet is sent once, whole, in the order of its channel.
func TestBatchKeepsOrder(t *testing.T) {
	reused := newBatch()
	beacons := func(string) []string { return []string{"beacon"} }
	rapid.Check(t, func(t *rapid.T) {
		b := reused
		b.reset()
		want := make(map[string][]string)
		for token := uint64(1); token <= 200; token++ {
			size := rapid.SampledFrom([]int{0, 1, 100, 30 << 10, 300 << 10}).Draw(t, "size")
			p := Packet{
				Channel: fmt.Sprint("c", rapid.IntRange(0, 5).Draw(t, "channel")),
				Payload: bytes.Repeat([]byte{byte('a' + token%26)}, size),
				Token:   token,
				Guard:   rapid.IntRange(0, 9).Draw(t, "guard") == 0,
			}
			if !b.fits(&p, pipelineBytes) {
				break
			}
			b.add(&p, int64(rapid.IntRange(0, 3).Draw(t, "deadline")), beacons)
			if before := rapid.IntRange(0, 50).Draw(t, "expire"); before == 0 {
				dropped := dropOlder(b, 1)
				for ch, packets := range want {
					want[ch] = without(packets, dropped)
				}
				if dropped[token] {
					continue
				}
			}
			want[p.Channel] = append(want[p.Channel], fmt.Sprintf("%d %s", token, p.Payload))
		}
		sent := sentPackets(t, b)
		packets, payload := 0, 0
		for ch, list := range want {
			if fmt.Sprint(sent[ch]) != fmt.Sprint(list) {
				t.Fatalf("channel %s: %.200v, want %.200v", ch, sent[ch], list)
			}
			packets += len(list)
		}
		for _, c := range b.commands[:b.used] {
			payload += len(c.payload)
		}
		if b.packets != packets || b.payload != payload {
			t.Fatalf("counted %d packets of %d bytes, there are %d of %d", b.packets, b.payload, packets, payload)
		}
		if b.size > pipelineCommands {
			t.Fatalf("%d commands", b.size)
		}
	})
}

// dropOlder drops the packets whose deadline is the given one, and returns their tokens.
func dropOlder(b *batch, deadline int64) map[uint64]bool {
	var results []Result
	b.drop(func(k *ticket) bool { return k.deadline == deadline }, ErrNotSent, &results)
	dropped := make(map[uint64]bool)
	for _, r := range results {
		if !errors.Is(r.Err, ErrNotSent) {
			panic(r.Err)
		}
		dropped[r.Token] = true
	}
	return dropped
}

func without(packets []string, dropped map[uint64]bool) []string {
	var kept []string
	for _, p := range packets {
		var token uint64
		if _, err := fmt.Sscan(p, &token); err != nil {
			panic(err)
		}
		if !dropped[token] {
			kept = append(kept, p)
		}
	}
	return kept
}
