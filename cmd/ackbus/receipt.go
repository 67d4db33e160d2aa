package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/ackbus/ackbus/bus"
)

// maxCell is how many characters of a reply or an error a table shows.
const maxCell = 48

// printReceipt prints a receipt for a person or for a program.
func printReceipt(w io.Writer, r *bus.Receipt, asJSON bool) error {
	if asJSON {
		return printJSON(w, r)
	}
	_, err := fmt.Fprintf(w, "%s  %s to %s  (%s)\n", outcomeWord(w, r.Outcome), r.Event, r.To, summary(r))
	if err != nil || len(r.Deliveries) == 0 {
		return err
	}
	g := newGrid(w, "node", "socket", "user", "carrier", "outcome", "written", "settled", "reply or error")
	for _, d := range r.Deliveries {
		g.row(orDash(d.Node), orDash(d.Socket), orDash(d.User), orDash(d.Carrier), outcomeWord(w, d.Outcome), elapsed(d.Written),
			elapsed(d.Settled), answer(&d))
	}
	return g.print()
}

func summary(r *bus.Receipt) string {
	var counts []string
	for o, n := range r.Counts {
		if n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, bus.Outcome(o)))
		}
	}
	counted := ""
	if len(counts) > 0 {
		counted = ": " + strings.Join(counts, ", ")
	}
	return fmt.Sprintf("%d on %d%s; %s; %s", r.Expected, r.Nodes, counted, elapsed(r.Elapsed), r.ID)
}

// outcomeWord is green for what was asked for, red for what certainly did not happen, and yellow for what is between.
func outcomeWord(w io.Writer, o bus.Outcome) string {
	colour := text.FgYellow
	switch o {
	case bus.OutcomeConfirmed, bus.OutcomeWritten, bus.OutcomeClaimed:
		colour = text.FgGreen
	case bus.OutcomeRejected, bus.OutcomeNoReceiver, bus.OutcomeDropped, bus.OutcomeExpired:
		colour = text.FgRed
	case bus.OutcomeUnconfirmed, bus.OutcomeClosed, bus.OutcomeUnknown, bus.OutcomeTooFew:
	}
	return painted(w, o.String(), colour)
}

// answer is what came back from one endpoint.
func answer(d *bus.Delivery) string {
	if d.Error != nil {
		return clip(d.Error.Error())
	}
	if d.Reply.IsZero() {
		return ""
	}
	reply, err := d.Reply.AsJSON()
	if err != nil {
		return clip(err.Error())
	}
	return clip(string(reply))
}

func elapsed(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return clip(s)
}

// oneLine makes text from outside fit for a terminal: without newlines and control characters.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f {
			return '\uFFFD'
		}
		return r
	}, s)
}

// clip makes it short too.
func clip(s string) string {
	s = oneLine(s)
	if runes := []rune(s); len(runes) > maxCell {
		return string(runes[:maxCell-1]) + "…"
	}
	return s
}
