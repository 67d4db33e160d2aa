package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/cmd/ackbus/internal/load"
)

// printBench prints a row an outcome, and what there is to say of the whole.
func printBench(w io.Writer, b *bench, r *load.Result) error {
	var page strings.Builder
	fmt.Fprintf(&page, "%s\n\n", b.describe())
	if len(r.Rows) > 0 {
		page.WriteString(latencyTable(w, r))
	}
	took := r.Took.Round(10 * time.Millisecond).Seconds()
	fmt.Fprintf(&page, "\n%s requests in %.2f s: %s a second, %s of data a second.\n", grouped(r.Requests), took, grouped(int(r.Rate())),
		inBytes(r.Rate()*float64(b.size)))
	if len(r.Rows) > 0 {
		page.WriteString(measuredFrom(b.rate) + "\n")
	}
	if r.Unsent > 0 {
		fmt.Fprintf(&page, "%s were due at %s a second and not sent: all %s in flight were waiting. Lower --rate, or raise --in-flight.\n",
			grouped(r.Unsent), strconv.FormatFloat(b.rate, 'g', -1, 64), grouped(b.inFlight))
	}
	if r.Abandoned > 0 {
		fmt.Fprintf(&page, "%s were under way when it was broken off, and don't count.\n", grouped(r.Abandoned))
	}
	for _, one := range r.Rows {
		if one.Text != "" {
			fmt.Fprintf(&page, "%s: %s\n", one.Outcome, clip(one.Text))
		}
	}
	_, err := io.WriteString(w, page.String())
	return err
}

func measuredFrom(rate float64) string {
	if rate > 0 {
		return "Latencies are milliseconds from when a request was due to its receipt."
	}
	return "Latencies are milliseconds from sending a request to its receipt."
}

func latencyTable(w io.Writer, r *load.Result) string {
	g := newGrid(w, "outcome", "requests", "share", "min", "mean", "p50", "p90", "p99", "p99.9", "max")
	g.narrow()
	var columns []table.ColumnConfig
	for i := 2; i <= 10; i++ {
		columns = append(columns, table.ColumnConfig{Number: i, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	g.table.SetColumnConfigs(columns)
	for _, one := range r.Rows {
		l := one.Latencies
		g.row(rowWord(w, &one), grouped(one.Requests), fmt.Sprintf("%.2f%%", 100*float64(one.Requests)/float64(r.Requests)),
			latency(l.Min), latency(l.Mean), latency(l.P50), latency(l.P90), latency(l.P99), latency(l.P999), latency(l.Max))
	}
	return g.table.Render() + "\n"
}

func rowWord(w io.Writer, r *load.Row) string {
	switch {
	case r.Met:
		return painted(w, r.Outcome, text.FgGreen)
	case r.Failed:
		return painted(w, r.Outcome, text.FgRed)
	}
	return painted(w, r.Outcome, text.FgYellow)
}

// describe is one line on what was measured.
func (b *bench) describe() string {
	whom := b.to.String()
	if b.to.IsZero() {
		whom = fmt.Sprintf("%d own clients (%s)", b.clients, b.carrier)
	}
	way := "through Redis"
	if b.url != "" {
		way = "through " + oneLine(b.url)
	}
	how := fmt.Sprintf("%s in flight", grouped(b.inFlight))
	if b.rate > 0 {
		how = fmt.Sprintf("%s a second, %s", strconv.FormatFloat(b.rate, 'g', -1, 64), how)
	}
	return fmt.Sprintf("%s %s, %s, %s of data each", whom, way, how, inBytes(float64(b.size)))
}

// latency is in milliseconds.
func latency(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 2, 64)
}

// grouped is a whole number with commas.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func inBytes(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", n/1e6)
	case n >= 10e3:
		return fmt.Sprintf("%.1f kB", n/1e3)
	}
	return fmt.Sprintf("%.0f B", n)
}

// A benchJSON is a result in its public shape.
type benchJSON struct {
	To        string      `json:"to"` // an address, or "own clients"
	URL       string      `json:"url,omitempty"`
	Carrier   string      `json:"carrier,omitempty"`
	Clients   int         `json:"clients,omitempty"`
	InFlight  int         `json:"in_flight"`
	Rate      float64     `json:"rate"` // that was asked for; 0: none
	Size      int         `json:"size"`
	Require   string      `json:"require"`
	Level     string      `json:"level"`
	Requests  int         `json:"requests"`
	Unmet     int         `json:"unmet"`
	Unsent    int         `json:"unsent"`
	Abandoned int         `json:"abandoned"`
	Took      float64     `json:"took_ms"`
	PerSecond float64     `json:"per_second"`
	Sent      int         `json:"data_bytes_sent"`
	Received  int         `json:"bytes_received"` // replies; over HTTP whole answers
	Outcomes  []benchLine `json:"outcomes"`
}

type benchLine struct {
	Outcome  string       `json:"outcome"`
	Met      bool         `json:"met"`
	Error    string       `json:"error,omitempty"` // of the first of them, where there was no receipt
	Requests int          `json:"requests"`
	Latency  benchLatency `json:"latency_ms"`
}

type benchLatency struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

func printBenchJSON(w io.Writer, b *bench, r *load.Result) error {
	j := benchJSON{
		To: "own clients", URL: b.url, InFlight: b.inFlight, Rate: b.rate, Size: b.size,
		Require: b.require.String(), Level: b.level.String(),
		Requests: r.Requests, Unmet: r.Unmet, Unsent: r.Unsent, Abandoned: r.Abandoned, Took: millis(r.Took),
		PerSecond: math.Round(1000*r.Rate()) / 1000, Sent: r.Requests * b.size, Received: r.Bytes, Outcomes: []benchLine{},
	}
	if b.to == (bus.Address{}) {
		j.Carrier, j.Clients = b.carrier, b.clients
	} else {
		j.To = b.to.String()
	}
	for _, one := range r.Rows {
		l := one.Latencies
		line := benchLine{Outcome: one.Outcome, Met: one.Met, Requests: one.Requests, Latency: benchLatency{millis(l.Min), millis(l.Mean),
			millis(l.P50), millis(l.P90), millis(l.P99), millis(l.P999), millis(l.Max)}}
		if one.Failed {
			line.Error = cmp.Or(one.Text, one.Outcome)
		}
		j.Outcomes = append(j.Outcomes, line)
	}
	return printJSON(w, j)
}

func millis(d time.Duration) float64 { return float64(d/time.Microsecond) / 1000 }
