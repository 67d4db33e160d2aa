package bus

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// deaf is a relay that brings nothing, and takes everything but what is for the members.
type deaf struct{}

func (deaf) Publish(_ context.Context, p relay.Packet) error {
	if p.Channel == membersChannel("ackbus:") {
		return relay.ErrNotSent // so that nobody waits for a goodbye to leave
	}
	return nil
}

func (deaf) Start(context.Context, relay.Self, relay.Receiver) error  { return nil }
func (deaf) Subscribe(context.Context, relay.Channel) (func(), error) { return func() {}, nil }
func (deaf) Alive(_ context.Context, nodes []string) (counts []int, _ error) {
	return make([]int, len(nodes)), nil
}
func (deaf) Close() error { return nil }

// target is a node without goroutines whose client of user 42 takes whatever comes, and which awaits a request, number 1, at the peer.
func target(tb testing.TB) (b *Bus, peer uuid.UUID) {
	tb.Helper()
	o, err := (&Options{Name: "target", Logger: slog.New(slog.DiscardHandler)}).withDefaults()
	if err != nil {
		tb.Fatal(err)
	}
	b = newBus(newID(), deaf{}, o, func() time.Duration { return time.Minute })
	if err := b.attach(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	c := &client{answer: confirms, socket: b.NewSocket()}
	if _, err := b.Attach(tb.Context(), c, Profile{Socket: c.socket, Carrier: CarrierTCP}, User("42")); err != nil {
		tb.Fatal(err)
	}
	p := &pending{wake: make(chan struct{}, 1)}
	p.timer.owner = p
	if err := b.prepare(tb.Context(), p, User("43"), "e", JSON(1)); err != nil {
		tb.Fatal(err)
	}
	b.hand(tb.Context(), p)
	tb.Cleanup(func() { _ = b.Close() })
	return b, uuid.MustParse("0193b5a8-7c5e-7d2b-9f43-000000000002")
}

// specimens are one payload of each kind.
func specimens(peer uuid.UUID) map[string][]byte {
	message := &envelope{id: peer, sender: peer, seq: 7, floor: 3, attempt: 2, flags: flagReceipt | flagChosen, left: time.Second,
		to: []byte("user:42"), event: []byte("paid"), headers: map[string]string{"k": "v"}, format: FormatJSON, body: []byte(`{"a":1}`)}
	claim := appendClaim(nil, &claimEntry{seq: 1, attempt: 1, n: 1, endpoints: []endpointEntry{{[]byte("1"), []byte("43"), 1}}})
	summed := appendClaim(nil, &claimEntry{seq: 1, attempt: 1, source: []byte("x"), n: 1 << 31, flags: claimSummed})
	step := appendStep(nil, &stepEntry{seq: 1, n: 1, outcome: OutcomeRejected, at: time.Second, waited: time.Millisecond,
		reply: JSON(1), code: "c", message: "m", endpoint: &endpointEntry{[]byte("1"), []byte("43"), 2}})
	reports := func(epoch, number uint64, entries ...[]byte) []byte {
		return appendReports(nil, peer, "peer", epoch, keptBatch{number: number, entries: bytes.Join(entries, nil)}, time.Second)
	}
	return map[string][]byte{
		"message":   message.append(nil),
		"published": (&envelope{id: peer, sender: peer, to: []byte("all"), event: []byte("e")}).append(nil),
		"claim":     reports(1, 1, claim),
		"steps":     reports(1, 1, claim, step, step),
		"summed":    reports(1, 1, summed, step),
		"hole":      reports(2, 900, step),
		"ask":       encodeAsk(peer, 1, 1<<63, 1<<63, true),
		"tally":     encodeTally(peer, 1, 1<<63, 0),
		"cancel":    encodeCancel(peer, 7, true),
		"announce":  encodeAnnounce(peer, "peer", announcement{sockets: 3, methods: 2, version: 9, number: 5, flags: memberSettled}),
		"leaving":   encodeAnnounce(peer, "peer", announcement{flags: memberLeaving}),
		"roll call": encodeRollCall(peer),
	}
}

// FuzzReceive hands any bytes to a node as a payload: it may not panic, hang, or allocate out of proportion.
func FuzzReceive(f *testing.F) {
	_, peer := target(f)
	all := specimens(peer)
	var joined []byte
	for _, p := range all {
		f.Add(p, false)
		f.Add(p, true)
		f.Add(p[:len(p)-1], false)
		joined = append(joined, p...)
	}
	f.Add(joined, false)
	f.Add([]byte{0xdd, 0xff, 0xff, 0xff, 0xff}, false)
	f.Add(bytes.Repeat([]byte{0x91}, 1000), false)
	f.Fuzz(func(t *testing.T, p []byte, pattern bool) {
		b, _ := target(t)
		m := relay.Message{Channel: "ackbus:a:user:42", Payload: p}
		if pattern {
			m.Pattern = "ackbus:a:topic:*"
		}
		receiver{b}.Receive(m)
		b.advance()
	})
}

// FuzzReports hands any bytes to a publisher as a batch of reports about a request that it awaits.
func FuzzReports(f *testing.F) {
	_, peer := target(f)
	for _, name := range []string{"claim", "steps", "summed"} {
		var c control
		r := reader{p: specimens(peer)[name]}
		c.parse(r.kind(), &r)
		f.Add(c.batch.entries, uint64(1))
		f.Add(c.batch.entries[:len(c.batch.entries)-2], uint64(1))
	}
	f.Fuzz(func(t *testing.T, entries []byte, number uint64) {
		b, peer := target(t)
		receiver{b}.Receive(relay.Message{Payload: appendReports(nil, peer, "peer", 1, keptBatch{number: number, entries: entries}, 0)})
		b.advance()
		b.requestsMu.Lock()
		b.requests.abandon(b.now())
		b.requestsMu.Unlock()
	})
}

// Each kind of envelope reads as it was written, alone and behind others.
func TestEnvelopesRoundTrip(t *testing.T) {
	_, peer := target(t)
	for name, p := range specimens(peer) {
		r := reader{p: append(bytes.Clone(p), p...)}
		for range 2 {
			switch k := r.kind(); k {
			case kindMessage:
				var e envelope
				if e.parse(&r); !bytes.Equal(e.append(nil), p) {
					t.Errorf("%s: %+v", name, e)
				}
			default:
				var c control
				c.parse(k, &r)
				if got := rewrite(&c); !bytes.Equal(got, p) {
					t.Errorf("%s: %x, want %x", name, got, p)
				}
			}
		}
		if r.err != nil || len(r.p) != 0 {
			t.Errorf("%s: %v, %d bytes left", name, r.err, len(r.p))
		}
	}
}

// rewrite writes what was parsed.
func rewrite(c *control) []byte {
	switch c.kind {
	case kindReports:
		return appendReports(nil, c.node, string(c.name), c.batch.epoch, keptBatch{number: c.batch.number, entries: c.batch.entries}, c.age)
	case kindAsk:
		return encodeAsk(c.node, c.epoch, c.highest, c.floor, c.resend)
	case kindTally:
		return encodeTally(c.node, c.epoch, c.lowest, 0)
	case kindCancel:
		return encodeCancel(c.node, c.seq, c.gaveUp)
	case kindAnnounce:
		return encodeAnnounce(c.node, string(c.name), c.member)
	default:
		return encodeRollCall(c.node)
	}
}

// Entries read as they were written.
func TestEntriesRoundTrip(t *testing.T) {
	claim := claimEntry{seq: 1 << 40, attempt: 3, source: []byte("p*"), at: time.Millisecond, n: 2,
		endpoints: []endpointEntry{{[]byte("zz"), []byte("42"), 1}, {[]byte{}, []byte{}, 0}}}
	r := reader{p: appendClaim(nil, &claim)}
	var gotClaim claimEntry
	if n, k := r.length(), r.uint(); n != 8 || entryKind(k) != entryClaim {
		t.Errorf("%d elements of kind %d", n, k)
	}
	if gotClaim.parse(&r); r.err != nil || !reflect.DeepEqual(gotClaim, claim) {
		t.Errorf("%+v, %v; want %+v", gotClaim, r.err, claim)
	}
	for _, step := range []stepEntry{
		{seq: 9, source: []byte{}, index: 1, n: 1, outcome: OutcomeConfirmed, at: time.Second, waited: 0, reply: JSON(1)},
		{seq: 9, source: []byte("p"), n: 40, outcome: OutcomeWritten, waited: -time.Microsecond, reply: Body{bytes: []byte{}}},
		{seq: 9, source: []byte{}, n: 1, outcome: OutcomeUnknown, waited: time.Minute, reply: Body{bytes: []byte{}},
			code: "c", message: "m", endpoint: &endpointEntry{[]byte("1"), []byte("u"), 2}},
	} {
		r := reader{p: appendStep(nil, &step)}
		var got stepEntry
		if n, k := r.length(), r.uint(); n != 13 || entryKind(k) != entryStep {
			t.Errorf("%d elements of kind %d", n, k)
		}
		if got.parse(&r); r.err != nil || !reflect.DeepEqual(got, step) {
			t.Errorf("%+v, %v; want %+v", got, r.err, step)
		}
	}
}

// Hostile payloads cost no more than a small multiple of their bytes, and what comes after them is received.
func TestHostilePayloads(t *testing.T) {
	b, peer := target(t)
	message := specimens(peer)["message"]
	long := strings.Repeat("x", 1<<20)
	lies := binary.BigEndian.AppendUint32([]byte{0x98, 1, 1, 1, 0xa0, 0, 1, 0, 0xdd}, 1<<31)
	for name, p := range map[string][]byte{
		"five bytes":        {0xdd, 0xff, 0xff, 0xff, 0xff},
		"deep":              bytes.Repeat([]byte{0x91}, 8<<20),
		"zeros":             make([]byte, 8<<20),
		"nil":               bytes.Repeat([]byte{0xc0}, 1<<20),
		"a long address":    (&envelope{sender: peer, to: []byte(long), event: []byte("e")}).append(nil),
		"a long event":      (&envelope{sender: peer, to: []byte("all"), event: []byte(long)}).append(nil),
		"many entries":      appendReports(nil, peer, "p", 1, keptBatch{number: 1, entries: bytes.Repeat([]byte{0x98}, 1<<20)}, 0),
		"a claim of many":   appendReports(nil, peer, "p", 1, keptBatch{number: 1, entries: lies}, 0),
		"a long name":       encodeAnnounce(peer, long, announcement{}),
		"half a message":    message[:len(message)/2],
		"an unknown kind":   {0x92, 0x08, 0x00},
		"another length":    {0x93, byte(kindRollCall), 0xc4, 0x00, 0x00},
		"a body that lies":  append(bytes.Clone(message[:len(message)-9]), 0xc6, 0xff, 0xff, 0xff, 0xff),
		"a headers' header": {0x9d, 1, 0xc4, 0, 0xdf, 0xff, 0xff, 0xff, 0xff},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		receiver{b}.Receive(relay.Message{Channel: "ackbus:a:user:42", Payload: p})
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(4*len(p)+64<<10) {
			t.Errorf("%s: %d bytes allocated for %d", name, grown, len(p))
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
	receiver{b}.Receive(relay.Message{Channel: "ackbus:a:user:42", Payload: message})
	if _, here := b.directory.find([]byte("user:42"), nil); len(here[0].endpoint.(*client).messages()) != 1 {
		t.Error("the message after them was not received")
	}
}

// Senders that nobody has heard of, each in an envelope of its own, are forgotten again.
func TestForgedSenders(t *testing.T) {
	b, _ := target(t)
	now := time.Minute
	b.now = func() time.Duration { return now }
	for range 500 {
		id := uuid.New()
		for _, p := range [][]byte{encodeAsk(id, 1, 1, 1, true), encodeTally(id, 1, 1, 0), encodeCancel(id, 1, false),
			appendReports(nil, id, "x", 1, keptBatch{number: 5}, 0), encodeAnnounce(id, "x", announcement{}),
			encodeRollCall(id)} {
			receiver{b}.Receive(relay.Message{Payload: p})
		}
	}
	live := newLiveness()
	for range 120 {
		now += 10 * time.Second
		b.advance()
		b.chores()
		b.checkLiveness(live)
	}
	b.requestsMu.Lock()
	defer b.requestsMu.Unlock()
	if n, m, k := len(b.claims.streams), len(b.requests.peers), b.Nodes(); n != 0 || m != 0 || len(k) != 1 {
		t.Errorf("%d streams, %d peers, %d members are left", n, m, len(k))
	}
}
