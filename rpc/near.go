package rpc

import (
	"slices"
	"strings"
)

// maxNear is how many names an error suggests.
const maxNear = 3

// near lists the names that are likely meant: at most a third of the letters wrong, nearest first.
func near(name string, names []string) []string {
	type scored struct {
		name string
		away int
	}
	var found []scored
	for _, other := range names {
		most := max(len(name)/3, 2)
		if abs(len(name)-len(other)) > most {
			continue
		}
		if away := distance(strings.ToLower(name), strings.ToLower(other)); away <= most {
			found = append(found, scored{other, away})
		}
	}
	slices.SortStableFunc(found, func(a, b scored) int { return a.away - b.away })
	var all []string
	for _, f := range found[:min(len(found), maxNear)] {
		all = append(all, f.name)
	}
	return all
}

// distance is how many bytes have to be put in, taken out, changed, or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
