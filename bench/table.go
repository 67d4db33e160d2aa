package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// writeTables prints the report for people.
func (r *report) writeTables(w io.Writer) error {
	m, s := r.Machine, r.Settings
	fmt.Fprintf(w, "%s, %d cores", m.System, m.Cores)
	if m.Processor != "" {
		fmt.Fprintf(w, " (%s)", m.Processor)
	}
	fmt.Fprintf(w, ", %s, Redis %s; bodies of %d B, %d rounds of %g s a load; min / median / max over the rounds\n\n",
		m.Go, m.Redis, s.BodyBytes, s.Rounds, s.Seconds)
	parts := []string{r.resultTable(), r.idleTable(), r.jobTable(), r.figureTable()}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	_, err := fmt.Fprintln(w, strings.Join(parts, "\n\n"))
	return err
}

func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(header)
	return t
}

func (r *report) resultTable() string {
	if len(r.Results) == 0 {
		return ""
	}
	t := newTable("system", "in flight", "rate /s", "p50 µs", "p99 µs", "allocations", "CPU µs a request", "failures")
	last := ""
	for _, res := range r.sorted() {
		if last != "" && last != res.System {
			t.AppendSeparator()
		}
		last = res.System
		t.AppendRow(table.Row{
			res.System, res.InFlight, res.spread(turn.rate).whole(),
			res.spread(func(t turn) float64 { return micros(t.P50) }).whole(),
			res.spread(func(t turn) float64 { return micros(t.P99) }).whole(),
			fmt.Sprintf("%.1f", res.spread(func(t turn) float64 { return t.Allocations }).Median),
			res.processorTimes(), res.failureText(),
		})
	}
	return t.Render()
}

// processorTimes is the spread of what a request costs, and the median for each process, named by its role alone.
func (res *result) processorTimes() string {
	names := make(map[string]bool)
	for _, t := range res.Rounds {
		for name := range t.CPUs {
			names[name] = true
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		median := res.spread(func(t turn) float64 { return t.CPUs[name] }).Median
		_, role, found := strings.Cut(name, "-")
		if !found {
			role = name
		}
		parts = append(parts, fmt.Sprintf("%s %.1f", role, median))
	}
	if len(parts) == 0 {
		return ""
	}
	return res.spread(turn.cost).tenths() + " (" + strings.Join(parts, ", ") + ")"
}

func (res *result) failureText() string {
	n, first := res.failures()
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%d: %.60s", n, first)
}

func (r *report) idleTable() string {
	if r.Idle == nil {
		return ""
	}
	t := newTable("idle sessions", "resident B each", "heap B each", "stacks B each", "goroutines each")
	t.AppendRow(table.Row{
		r.Idle.Sessions, whole(r.Idle.Resident), whole(r.Idle.Heap), whole(r.Idle.Stacks),
		fmt.Sprintf("%.2f", r.Idle.Goroutines),
	})
	return t.Render()
}

func (r *report) figureTable() string {
	if len(r.Figures) == 0 {
		return ""
	}
	t := newTable("figure", "min", "median", "max", "target", "")
	for _, f := range r.Figures {
		target := "≥ " + f.show(f.Target)
		switch {
		case f.Target == 0:
			target = ""
		case f.AtMost:
			target = "≤ " + f.show(f.Target)
		}
		t.AppendRow(table.Row{f.Name, f.show(f.Least), f.show(f.Median), f.show(f.Most), target, f.Verdict})
	}
	return t.Render()
}

func (f figure) show(v float64) string {
	if f.Unit == "×" {
		return fmt.Sprintf("%.2f ×", v)
	}
	return whole(v) + " " + f.Unit
}

// whole prints all three.
func (s spread) whole() string {
	return whole(s.Least) + " / " + whole(s.Median) + " / " + whole(s.Most)
}

// tenths prints all three with a digit behind the point.
func (s spread) tenths() string { return fmt.Sprintf("%.1f / %.1f / %.1f", s.Least, s.Median, s.Most) }

// whole groups digits by thousands.
func whole(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
