package worker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ackbus/ackbus/bus"
)

// errMalformed says that bytes from Redis are not what this package wrote.
var errMalformed = errors.New("worker: malformed")

const wireVersion = 1

// A spec is what is fixed about a job when it is enqueued, as its hash holds it.
type spec struct {
	body     bus.Body
	priority Priority
	attempts uint64
	limit    uint64 // ms; 0: none
	keep     uint64 // ms
	enqueued uint64 // ms since 1970, by the enqueuer's clock
}

// encode writes version, format, priority, four numbers, and the body's bytes to the end.
func (s *spec) encode() []byte {
	raw := s.body.Raw()
	p := make([]byte, 0, len(raw)+3+4*binary.MaxVarintLen64)
	p = append(p, wireVersion, byte(s.body.Format()), byte(s.priority))
	for _, n := range []uint64{s.attempts, s.limit, s.keep, s.enqueued} {
		p = binary.AppendUvarint(p, n)
	}
	return append(p, raw...)
}

func decodeSpec(text string) (spec, error) {
	r := reading{rest: []byte(text)}
	if v := r.octet(); v != wireVersion {
		return spec{}, fmt.Errorf("%w: job of version %d", errMalformed, v)
	}
	format := bus.Format(r.octet())
	s := spec{priority: Priority(r.octet())}
	s.attempts, s.limit, s.keep, s.enqueued = r.number(), r.number(), r.number(), r.number()
	if r.err != nil {
		return spec{}, r.err
	}
	var err error
	s.body, err = bus.Encoded(format, r.rest)
	return s, err
}

// A notice tells what became of a job: to those who await it, and in its hash for as long as its result is kept.
type notice struct {
	id      JobID
	code    string // empty: done
	message string
	worker  string
	attempt uint64
	waited  uint64 // µs
	ran     uint64 // µs
	body    bus.Body
}

// encode writes version, format, four texts, three numbers, and the body's bytes to the end.
func (n *notice) encode() []byte {
	raw := n.body.Raw()
	p := make([]byte, 0, len(raw)+len(n.id)+len(n.code)+len(n.message)+len(n.worker)+24)
	p = append(p, wireVersion, byte(n.body.Format()))
	for _, text := range []string{string(n.id), n.code, n.message, n.worker} {
		p = binary.AppendUvarint(p, uint64(len(text)))
		p = append(p, text...)
	}
	for _, v := range []uint64{n.attempt, n.waited, n.ran} {
		p = binary.AppendUvarint(p, v)
	}
	return append(p, raw...)
}

func decodeNotice(p []byte) (notice, error) {
	r := reading{rest: p}
	if v := r.octet(); v != wireVersion {
		return notice{}, fmt.Errorf("%w: notice of version %d", errMalformed, v)
	}
	format := bus.Format(r.octet())
	n := notice{id: JobID(r.text()), code: r.text(), message: r.text(), worker: r.text()}
	n.attempt, n.waited, n.ran = r.number(), r.number(), r.number()
	if r.err != nil {
		return notice{}, r.err
	}
	var err error
	n.body, err = bus.Encoded(format, r.rest)
	return n, err
}

// A reading takes bytes apart, and remembers the first thing that was not there.
type reading struct {
	rest []byte
	err  error
}

func (r *reading) octet() byte {
	if len(r.rest) == 0 {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reading) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reading) text() string {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *reading) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("%w: it ends too early", errMalformed)
	}
	r.rest = nil
}
