package bus

import (
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/internal/lazy"
)

// record is one request as a node holds it: its endpoints, and what became of the delivery to each. It belongs to the
// claims machine.
type record struct {
	timer timer[record]

	id       uuid.UUID
	source   []byte // the pattern that brought the copies, or empty
	attempt  uint32 // the latest that was answered
	deadline time.Duration
	level    Level
	summed   bool // steps are counted, not told one by one
	over     bool // past its deadline
	again    bool // the ID has been delivered before
	givenUp  bool // nobody waits for it any more

	slots    []slot
	open     int
	told     *Counts   // steps that are summed up and not yet reported; nil where nothing is
	telling  bool      // it waits to have them reported
	maker    *stream   // for whose request it was made
	number   uint64    // of that request
	watchers []watcher // who awaits reports
	memory   *memory   // of an ID that the caller chose

	oneSlot    [1]slot
	oneWatcher [1]watcher
	oneRecord  [1]*record // itself, alone under its number
}

// slot is the delivery to one endpoint.
type slot struct {
	to       *Attachment
	outcome  Outcome
	settled  bool
	writing  bool          // in a write that has not returned
	reported bool          // the publisher knows that it was written
	wrote    time.Duration // when it was written; 0: it was not
	handling *lazy.Context // of the handler that is at it
}

// watcher is a publisher that awaits reports, and the number under which it knows the request.
type watcher struct {
	stream *stream
	seq    uint64
	mute   bool          // it waits no longer
	until  time.Duration // when it stops waiting; 0: at the record's deadline
	again  bool          // it asked for the ID to be delivered again, and has been told how what was there ended
}

// watcher finds who awaits reports under the number.
func (r *record) watcher(s *stream, seq uint64) *watcher {
	for i := range r.watchers {
		if w := &r.watchers[i]; w.stream == s && w.seq == seq {
			return w
		}
	}
	return nil
}

// joinedAgain reports whether the number joined the record when it asked for the ID to be delivered again.
func (r *record) joinedAgain(s *stream, seq uint64) bool {
	w := r.watcher(s, seq)
	return w != nil && w.again
}

// of reports whether the record was made for this request, and not joined by it.
func (r *record) of(s *stream, seq uint64) bool {
	return r.maker == s && r.number == seq
}

func newRecord(e *envelope, source []byte, to []*Attachment) *record {
	r := &record{id: e.id, source: source, level: levelOf(e.flags)}
	r.timer.owner = r
	r.oneRecord[0] = r
	r.slots = r.oneSlot[:0]
	for _, a := range to {
		r.slots = append(r.slots, slot{to: a})
	}
	r.open = len(r.slots)
	r.watchers = r.oneWatcher[:0]
	r.summed = e.flags.has(flagSummary) || len(to) > SummaryAbove && !e.flags.has(flagEach)
	if r.summed {
		r.told = new(Counts)
	}
	return r
}

func levelOf(f flags) Level {
	switch {
	case f.has(flagWritten):
		return Written
	case f.has(flagClaimed):
		return Claimed
	}
	return Confirmed
}

// step is the step that slot i has come to last.
func (r *record) step(now time.Duration, i int) stepEntry {
	s := &r.slots[i]
	e := stepEntry{source: r.source, index: i, n: 1, outcome: s.outcome, at: now, waited: -time.Microsecond}
	if s.wrote > 0 {
		e.waited = now - s.wrote
	}
	if r.summed {
		e.endpoint = &s.to.entry
	}
	return e
}

// counted reports whether the step is summed up instead of told.
func (r *record) counted(o Outcome) bool {
	return r.summed && (o == OutcomeWritten || o == r.level.outcome())
}
