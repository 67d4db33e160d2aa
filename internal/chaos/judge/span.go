package judge

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const forever = math.MaxInt64

// A span is a time from one instant to another, in nanoseconds.
type span struct{ from, to int64 }

func (s span) meets(o span) bool { return s.from <= o.to && o.from <= s.to }

// merged are the same instants in spans that don't meet, in order.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var all []span
	for _, s := range spans {
		if last := len(all) - 1; last >= 0 && s.from <= all[last].to {
			all[last].to = max(all[last].to, s.to)
		} else {
			all = append(all, s)
		}
	}
	return all
}

// of gives those of merged spans that meet the span.
func (s span) of(merged []span) []span {
	first, _ := slices.BinarySearchFunc(merged, s.from, func(o span, at int64) int { return cmp.Compare(o.to, at) })
	last, _ := slices.BinarySearchFunc(merged, s.to, func(o span, at int64) int { return cmp.Compare(o.from, at) })
	return merged[first:max(first, last)]
}

// within is how much of a span is covered by others, each instant counted once.
func (s span) within(others []span) time.Duration {
	var parts []span
	for _, o := range others {
		if part := (span{max(s.from, o.from), min(s.to, o.to)}); part.from < part.to {
			parts = append(parts, part)
		}
	}
	slices.SortFunc(parts, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var sum, end int64
	for _, part := range parts {
		end = max(end, part.from)
		if part.to > end {
			sum += part.to - end
			end = part.to
		}
	}
	return time.Duration(sum)
}

// duration is the time from one instant to another, negative if that is earlier.
func duration(from, to int64) time.Duration { return time.Duration(to - from) }
