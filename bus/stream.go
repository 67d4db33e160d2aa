package bus

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// Bounds of what a node keeps for one publisher.
const (
	keptBytes   = 16 << 20
	resendBytes = 1 << 20 // that one ask brings
	batchBytes  = relay.MaxPayload - 256
	forgetAfter = time.Minute // without a word from the publisher
	spareMost   = 16          // batches whose memory is kept
)

// stream is a node's reports to one publisher: numbered batches, kept until the publisher has asked past them. It also holds
// the records of the publisher's requests, by sequence number.
type stream struct {
	id      uuid.UUID
	number  uint64 // in the tokens of its packets
	channel string // the publisher's reply channel
	seen    time.Duration

	records numbered[[]*record] // by number; several where patterns brought copies too
	floor   uint64
	expired map[uint64]struct{} // numbers above the floor whose records were forgotten by time: no copy of them counts any more

	epoch  uint64
	last   uint64        // number of the last batch that was closed
	sent   uint64        // number of the last that was sent
	lost   uint64        // number of the last that was dropped for want of room
	buf    []byte        // entries of the batch that is being collected
	base   time.Duration // when it was begun
	until  time.Duration // when nobody waits for it any more
	kept   []keptBatch
	bytes  int      // of kept
	spare  [][]byte // memory of batches that the publisher has, for the next ones
	queued bool     // it waits to be sealed
	lazy   bool     // what is collected leaves with the next tick at the latest
	flight int      // batches on their way to Redis
	astray uint64   // number of the last batch that may not have got there: it is asked for, as long as somebody waits for it
}

type keptBatch struct {
	number  uint64
	base    time.Duration
	sealed  time.Duration
	resent  time.Duration
	until   time.Duration
	entries []byte
}

// begin prepares the batch for an entry about a request with the deadline, and returns the time for the entry.
func (s *stream) begin(now, deadline time.Duration) time.Duration {
	if len(s.buf) == 0 {
		s.base, s.until = now, 0
	}
	s.until = max(s.until, deadline+time.Second)
	return now - s.base
}

func (s *stream) addClaim(now, deadline time.Duration, c claimEntry) {
	c.at = s.begin(now, deadline)
	whole := len(s.buf)
	s.buf = appendClaim(s.buf, &c)
	s.bound(now, whole)
}

func (s *stream) addStep(now, deadline time.Duration, seq uint64, e stepEntry) {
	e.at, e.seq = s.begin(now, deadline), seq
	whole := len(s.buf)
	s.buf = appendStep(s.buf, &e)
	s.bound(now, whole)
}

// bound closes the batch before the last entry, which began at whole, if the batch has become too large with it.
func (s *stream) bound(now time.Duration, whole int) {
	if len(s.buf) <= batchBytes || whole == 0 {
		return
	}
	entry := slices.Clone(s.buf[whole:])
	s.buf = s.buf[:whole]
	s.close(now)
	s.buf = append(s.buf, entry...) // its times count from the batch that was closed
}

// close closes the batch that is being collected and keeps it.
func (s *stream) close(now time.Duration) {
	if len(s.buf) == 0 {
		return
	}
	s.last++
	s.kept = append(s.kept, keptBatch{number: s.last, base: s.base, sealed: now, until: s.until, entries: s.buf})
	s.bytes += len(s.buf)
	s.buf = s.fresh()
	for s.bytes > keptBytes && len(s.kept) > 1 {
		s.lost = s.kept[0].number // those deliveries become unknown
		s.drop()
	}
}

// fresh is memory for the next batch.
func (s *stream) fresh() []byte {
	n := len(s.spare)
	if n == 0 {
		return make([]byte, 0, min(2*len(s.buf), batchBytes))
	}
	buf := s.spare[n-1]
	s.spare[n-1] = nil
	s.spare = s.spare[:n-1]
	return buf
}

// seal closes the batch that is being collected and returns those that were not sent yet.
func (s *stream) seal(now time.Duration) []keptBatch {
	s.queued = false
	s.close(now)
	first := slices.IndexFunc(s.kept, func(b keptBatch) bool { return b.number > s.sent })
	s.sent = s.last
	if first < 0 {
		return nil
	}
	return s.kept[first:]
}

// settled reports whether everything that was reported has been handed to Redis, or was asked past.
func (s *stream) settled() bool {
	astray := len(s.kept) > 0 && s.kept[0].number <= s.astray
	return len(s.buf) == 0 && s.flight == 0 && s.sent == s.last && !astray
}

func (s *stream) drop() {
	s.bytes -= len(s.kept[0].entries)
	if len(s.spare) < spareMost {
		s.spare = append(s.spare, s.kept[0].entries[:0])
	}
	s.kept[0] = keptBatch{}
	s.kept = s.kept[1:]
}

// heard forgets the batches that the publisher has.
func (s *stream) heard(highest uint64) {
	for len(s.kept) > 0 && s.kept[0].number <= highest {
		s.drop()
	}
}

// expire forgets the batches that nobody waits for any more, and memory that was not needed lately.
func (s *stream) expire(now time.Duration) {
	s.spare = nil
	s.records.shrink()
	for len(s.kept) > 0 && s.kept[0].until < now {
		s.drop()
	}
}

// lowest is the number of the first batch that can still be sent.
func (s *stream) lowest() uint64 {
	if len(s.kept) > 0 {
		return s.kept[0].number
	}
	return s.last + 1
}

// find returns the record of a request by number and source.
func (s *stream) find(seq uint64, source []byte) *record {
	for _, r := range s.records.get(seq) {
		if bytes.Equal(r.source, source) {
			return r
		}
	}
	return nil
}

// remove takes a record out of the number's.
func (s *stream) remove(seq uint64, r *record) {
	s.refile(seq, slices.DeleteFunc(s.records.get(seq), func(other *record) bool { return other == r }))
}

// outlive forgets a record whose time is over. If it was the number's own, what comes of that all the same was held up on the way; one
// that only joined it may have more time.
func (s *stream) outlive(seq uint64, r *record, own bool) {
	s.remove(seq, r)
	if !own || seq < s.floor {
		return
	}
	if s.expired == nil {
		s.expired = make(map[uint64]struct{})
	}
	s.expired[seq] = struct{}{}
}

func (s *stream) hasExpired(seq uint64) bool {
	_, expired := s.expired[seq]
	return expired
}

// leave ends the interest of the number in a record that it had joined.
func (s *stream) leave(seq uint64, r *record) {
	s.remove(seq, r)
	if w := r.watcher(s, seq); w != nil {
		w.mute = true
	}
}

// file puts a record under the number.
func (s *stream) file(seq uint64, r *record) {
	filed := s.records.get(seq)
	if len(filed) > 0 || !r.of(s, seq) {
		s.records.set(seq, append(slices.Clone(filed), r))
		return
	}
	r.oneRecord[0] = r // removing may have cleared it
	s.records.set(seq, r.oneRecord[:])
}

// refile keeps the records under the number that are left.
func (s *stream) refile(seq uint64, left []*record) {
	if len(left) == 0 {
		s.records.delete(seq)
		return
	}
	s.records.set(seq, left)
}

// raise takes the publisher's floor. What has settled below it can't come again; what has not is forgotten when it does.
func (s *stream) raise(floor uint64, forget func(seq uint64)) {
	if floor <= s.floor {
		return
	}
	low := s.floor
	s.floor = floor
	maps.DeleteFunc(s.expired, func(seq uint64, _ struct{}) bool { return seq < floor })
	if floor-low > uint64(s.records.len()) {
		for seq := range s.records.all() {
			if seq < floor {
				forget(seq)
			}
		}
	} else {
		for seq := low; seq < floor; seq++ {
			forget(seq)
		}
	}
}
