package load

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are told apart from least to most, to three digits: 160 KB for each outcome.
const (
	least = time.Microsecond
	most  = time.Hour
)

// An Answer is what became of one request.
type Answer struct {
	// Outcome is what it came to; answers of one outcome are measured together.
	Outcome string
	// Met says that it is what was asked for.
	Met bool
	// Failed says that there was no answer, but an error; Text is what it says.
	Failed bool
	Text   string
	// Bytes is how much came back.
	Bytes int
}

// Latencies are how long requests took.
type Latencies struct {
	Min, Mean, P50, P90, P99, P999, Max time.Duration
}

// A Row is what is known of the requests with one outcome.
type Row struct {
	Outcome   string
	Met       bool
	Failed    bool
	Text      string // of the first failure
	Requests  int
	Latencies Latencies
}

// A Progress is how a load stands.
type Progress struct {
	Done     float64 // 0 to 1
	Requests int     // answered
	Unmet    int     // of these, not as asked for
	Rate     float64 // answered a second, since the beginning
	P50, P99 time.Duration
	Left     time.Duration // until the duration is over; 0: no duration was given
}

// A Result is what a load came to.
type Result struct {
	Rows      []Row // those that met what was asked first, then by number
	Requests  int   // answered
	Unmet     int   // of these, not as asked for
	Bytes     int   // that came back
	Took      time.Duration
	Unsent    int // were due at the rate, and not sent in time
	Abandoned int // were under way when the load was broken off
}

// Rate is how many requests a second were answered.
func (r *Result) Rate() float64 { return perSecond(r.Requests, r.Took) }

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// A tally gathers answers.
type tally struct {
	mu        sync.Mutex // guards all below
	rows      map[string]*row
	all       *hdrhistogram.Histogram // of those that met what was asked
	requests  int
	unmet     int
	bytes     int
	abandoned int
}

type row struct {
	first     Answer
	latencies *hdrhistogram.Histogram
}

func newTally() *tally { return &tally{rows: make(map[string]*row), all: newHistogram()} }

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(int64(least), int64(most), 3) }

func (t *tally) add(a *Answer, took time.Duration) {
	v := min(int64(took), int64(most))
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rows[a.Outcome]
	if r == nil {
		r = &row{*a, newHistogram()}
		t.rows[a.Outcome] = r
	}
	_ = r.latencies.RecordValue(v) // it is within the bounds
	t.requests++
	t.bytes += a.Bytes
	if !a.Met {
		t.unmet++
		return
	}
	_ = t.all.RecordValue(v) // likewise
}

func (t *tally) abandon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.abandoned++
}

func (l *Load) progress() Progress {
	since := time.Since(l.begun)
	t := l.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	p := Progress{Requests: t.requests, Unmet: t.unmet, Rate: perSecond(t.requests, since)}
	p.P50, p.P99 = quantile(t.all, 50), quantile(t.all, 99)
	if l.opts.Requests > 0 {
		p.Done = float64(t.requests) / float64(l.opts.Requests)
	}
	if l.opts.Duration > 0 {
		p.Done = min(1, max(p.Done, since.Seconds()/l.opts.Duration.Seconds()))
		p.Left = max(0, l.opts.Duration-since)
	}
	return p
}

func (l *Load) result(took time.Duration) Result {
	t := l.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	r := Result{Requests: t.requests, Unmet: t.unmet, Bytes: t.bytes, Took: took, Abandoned: t.abandoned}
	r.Unsent = max(0, l.due(took)-t.requests-t.abandoned)
	for _, one := range t.rows {
		r.Rows = append(r.Rows, Row{Outcome: one.first.Outcome, Met: one.first.Met, Failed: one.first.Failed, Text: one.first.Text,
			Requests: int(one.latencies.TotalCount()), Latencies: latencies(one.latencies)})
	}
	slices.SortFunc(r.Rows, func(a, b Row) int {
		if a.Met != b.Met {
			if a.Met {
				return -1
			}
			return 1
		}
		if a.Requests != b.Requests {
			return b.Requests - a.Requests
		}
		return strings.Compare(a.Outcome, b.Outcome)
	})
	return r
}

func latencies(h *hdrhistogram.Histogram) Latencies {
	return Latencies{
		Min: time.Duration(h.Min()), Mean: time.Duration(h.Mean()), Max: time.Duration(h.Max()),
		P50: quantile(h, 50), P90: quantile(h, 90), P99: quantile(h, 99), P999: quantile(h, 99.9),
	}
}

func quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(q))
}
