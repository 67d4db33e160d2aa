package main

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/ackbus/ackbus/bench/internal/role"
)

// A report is everything that one run found.
type report struct {
	Machine  machine       `json:"machine"`
	Settings settingsText  `json:"settings"`
	Figures  []figure      `json:"figures"`
	Results  []*result     `json:"results"`
	Idle     *idleSessions `json:"idle,omitempty"`
	Jobs     []*jobResult  `json:"jobs,omitempty"`
}

// settingsText is what of the settings a reader has to know.
type settingsText struct {
	Rounds      int     `json:"rounds"`
	Seconds     float64 `json:"seconds"`
	BodyBytes   int     `json:"body_bytes"`
	Users       int     `json:"users"`
	Concurrency int     `json:"concurrency"`
	Prefetch    int     `json:"prefetch"`
}

func (s *settings) text() settingsText {
	return settingsText{Rounds: s.rounds, Seconds: s.measured.Seconds(), BodyBytes: role.BodySize, Users: s.users,
		Concurrency: s.concurrency, Prefetch: s.prefetch}
}

// A result is one system at one load, round by round.
type result struct {
	System   string `json:"system"`
	InFlight int    `json:"in_flight"`
	Rounds   []turn `json:"rounds"`
}

// A turn is one system at one load in one round.
type turn struct {
	role.Sample

	// CPUs is the processor time a request, in microseconds, of each process and of Redis.
	CPUs map[string]float64 `json:"cpu_us,omitempty"`
}

// rate is how many requests ended well in a second.
func (t turn) rate() float64 { return float64(t.Requests) / t.Elapsed.Seconds() }

// p50 is in nanoseconds.
func (t turn) p50() float64 { return float64(t.P50) }

// cost is the processor time of a request, of all processes together, in microseconds.
func (t turn) cost() (sum float64) {
	for _, each := range t.CPUs {
		sum += each
	}
	return sum
}

func (r *report) add(round int, system string, inFlight int, t turn) {
	if round == 0 {
		r.Results = append(r.Results, &result{System: system, InFlight: inFlight})
	}
	into := r.find(system, inFlight)
	into.Rounds = append(into.Rounds, t)
}

// find returns nil where the system was not measured at that load.
func (r *report) find(system string, inFlight int) *result {
	for _, each := range r.Results {
		if each.System == system && each.InFlight == inFlight {
			return each
		}
	}
	return nil
}

// sorted orders the results by system, then by load.
func (r *report) sorted() []*result {
	return slices.SortedStableFunc(slices.Values(r.Results), func(a, b *result) int {
		return cmp.Or(cmp.Compare(slices.Index(systems, a.System), slices.Index(systems, b.System)), cmp.Compare(a.InFlight, b.InFlight))
	})
}

// spread sums up the rounds of one result by what of brings.
func (res *result) spread(of func(t turn) float64) spread {
	values := make([]float64, len(res.Rounds))
	for i, t := range res.Rounds {
		values[i] = of(t)
	}
	return spreadOf(values)
}

func (res *result) failures() (n int64, first string) {
	for _, t := range res.Rounds {
		n += t.Failures
		first = cmp.Or(first, t.Failure)
	}
	return n, first
}

// A spread is the least, the median and the most of several rounds.
type spread struct {
	Least  float64 `json:"min"`
	Median float64 `json:"median"`
	Most   float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	s := spread{Least: sorted[0], Median: sorted[middle], Most: sorted[len(sorted)-1]}
	if len(sorted)%2 == 0 {
		s.Median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return s
}

func micros(d time.Duration) float64 { return float64(d) / 1000 }

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
