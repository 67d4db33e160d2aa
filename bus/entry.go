package bus

import (
	"strconv"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// Entries are what reports are made of: claims and steps. Several of them make a batch.

// entryKind is the first element of an entry.
type entryKind uint8

const (
	entryClaim entryKind = iota + 1
	entryStep
)

// claimEntry answers one received copy of a request.
type claimEntry struct {
	seq     uint64
	attempt uint32
	source  []byte        // the pattern that brought the copy, or empty
	at      time.Duration // since the batch's beginning
	n       int           // endpoints held for the address
	flags   claimFlags
	// endpoints tells of each endpoint, in order, unless the claim sums up.
	endpoints []endpointEntry
}

type claimFlags uint8

const (
	claimSummed   claimFlags = 1 << iota // steps are counted, not told one by one
	claimJoined                          // the ID was known: these deliveries began with another request
	claimConflict                        // the ID was used for other content; n is 0
)

// endpointEntry is an endpoint as receipts show it. Its slices belong to the payload.
type endpointEntry struct {
	socket  []byte // what follows the node's ID in the socket's
	user    []byte
	carrier uint8
}

var carriers = [...]string{CarrierHandler, CarrierWebSocket, CarrierTCP}

func carrierCode(name string) uint8 {
	for code, carrier := range carriers {
		if carrier == name {
			return uint8(code)
		}
	}
	return 0
}

func appendClaim(p []byte, c *claimEntry) []byte {
	p = msgp.AppendArrayHeader(p, 8)
	p = msgp.AppendUint8(p, uint8(entryClaim))
	p = msgp.AppendUint64(p, c.seq)
	p = msgp.AppendUint32(p, c.attempt)
	p = msgp.AppendStringFromBytes(p, c.source)
	p = appendMicros(p, c.at)
	p = msgp.AppendInt(p, c.n)
	p = msgp.AppendUint8(p, uint8(c.flags))
	p = msgp.AppendArrayHeader(p, uint32(len(c.endpoints)))
	for _, e := range c.endpoints {
		p = appendEndpoint(p, e)
	}
	return p
}

func appendEndpoint(p []byte, e endpointEntry) []byte {
	p = msgp.AppendArrayHeader(p, 3)
	p = msgp.AppendStringFromBytes(p, e.socket)
	p = msgp.AppendStringFromBytes(p, e.user)
	return msgp.AppendUint8(p, e.carrier)
}

// parse reads what follows the entry's kind. It uses the endpoints slice again.
func (c *claimEntry) parse(r *reader) {
	endpoints := c.endpoints[:0]
	*c = claimEntry{seq: r.uint(), attempt: uint32(r.uint()), source: r.text(), at: r.micros(), n: r.count(), flags: claimFlags(r.uint())}
	for range r.length() {
		if r.err != nil {
			break
		}
		endpoints = append(endpoints, r.endpoint())
	}
	c.endpoints = endpoints
	if c.flags&claimSummed == 0 && len(endpoints) != c.n {
		r.fail(errEnvelope)
	}
}

func (r *reader) endpoint() endpointEntry {
	r.array(3)
	e := endpointEntry{socket: r.text(), user: r.text(), carrier: uint8(r.uint())}
	if int(e.carrier) >= len(carriers) {
		r.fail(errEnvelope)
	}
	return e
}

// stepEntry says what became of a delivery, or of several that are summed up.
type stepEntry struct {
	seq     uint64
	source  []byte
	index   int // of the endpoint in the claim; unused where steps are summed up
	n       int // how many deliveries took the step: 1 unless they are summed up
	outcome Outcome
	at      time.Duration // since the batch's beginning
	// waited is how long before the step the message was written; negative: it was not.
	waited   time.Duration
	reply    Body
	code     string
	message  string
	endpoint *endpointEntry // who, of a failure that is summed up
}

func appendStep(p []byte, s *stepEntry) []byte {
	p = msgp.AppendArrayHeader(p, 13)
	p = msgp.AppendUint8(p, uint8(entryStep))
	p = msgp.AppendUint64(p, s.seq)
	p = msgp.AppendStringFromBytes(p, s.source)
	p = msgp.AppendInt(p, s.index)
	p = msgp.AppendInt(p, s.n)
	p = msgp.AppendUint8(p, uint8(s.outcome))
	p = appendMicros(p, s.at)
	p = appendMicros(p, s.waited+time.Microsecond) // 0: not written
	p = msgp.AppendUint8(p, uint8(s.reply.format))
	p = msgp.AppendBytes(p, s.reply.bytes)
	p = msgp.AppendString(p, s.code)
	p = msgp.AppendString(p, s.message)
	if s.endpoint == nil {
		return msgp.AppendArrayHeader(p, 0)
	}
	return appendEndpoint(p, *s.endpoint)
}

// parse reads what follows the entry's kind.
func (s *stepEntry) parse(r *reader) {
	*s = stepEntry{seq: r.uint(), source: r.text(), index: r.count(), n: r.count(), outcome: Outcome(r.uint()), at: r.micros(),
		waited: r.micros() - time.Microsecond, reply: Body{format: Format(r.uint()), bytes: r.bytes()}, code: string(r.text()),
		message: string(r.text())}
	switch r.length() {
	case 0:
	case 3:
		s.endpoint = &endpointEntry{socket: r.text(), user: r.text(), carrier: uint8(r.uint())}
		if int(s.endpoint.carrier) >= len(carriers) {
			r.fail(errEnvelope)
		}
	default:
		r.fail(errEnvelope)
	}
	if r.err == nil && (s.outcome > OutcomeUnknown || s.reply.format > FormatRaw || s.n < 1) {
		r.fail(errEnvelope)
	}
}

func appendMicros(p []byte, d time.Duration) []byte {
	return msgp.AppendUint64(p, uint64(max(d, 0)/time.Microsecond))
}

// socketSuffix is what a socket's ID has after its node's ID and the dot.
func socketSuffix(id string) string {
	if len(id) > 37 {
		return id[37:]
	}
	return ""
}

func socketID(node string, n uint64) string { return node + "." + strconv.FormatUint(n, 36) }
