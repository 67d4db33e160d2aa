package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/ackbus/ackbus/bus"
)

// A shown is a scene that was played.
type shown struct {
	Title   string       `json:"title"`
	Want    bus.Outcome  `json:"expected_outcome"`
	Fault   string       `json:"fault,omitempty"` // in what it is not what was expected
	Receipt *bus.Receipt `json:"receipt"`
}

// printDemo prints a row a request, and one a delivery below it where there are several; then what to try next.
func printDemo(w io.Writer, all []shown) error {
	g := newGrid(w, "request", "to", "outcome", "node", "socket", "carrier", "written", "settled", "took")
	g.narrow()
	seen := make(map[bus.Outcome]int)
	for _, s := range all {
		seen[s.Receipt.Outcome]++
		g.scene(&s)
	}
	if err := g.print(); err != nil {
		return err
	}
	var counts []string
	for _, o := range bus.Outcomes() {
		if seen[o] > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", seen[o], o))
		}
	}
	_, err := fmt.Fprintf(w, "\n%d requests: %s.\nTimes are milliseconds since the request was sent.\n%s", len(all),
		strings.Join(counts, ", "), tryNext)
	return err
}

func (g *grid) scene(s *shown) {
	r := s.Receipt
	outcome := outcomeWord(g.to, r.Outcome)
	if s.Fault != "" {
		outcome += painted(g.to, "?", text.FgRed)
	}
	to := r.To.String()
	if r.To.Kind() == "socket" {
		to = "socket:" + short(r.To.Name())
	}
	switch len(r.Deliveries) {
	case 0:
		g.row(s.Title, to, outcome, "-", "-", "-", "-", "-", inMillis(r.Elapsed))
	case 1:
		d := r.Deliveries[0]
		g.row(s.Title, to, outcome, orDash(d.Node), orDash(short(d.Socket)), orDash(d.Carrier), inMillis(d.Written), inMillis(d.Settled),
			inMillis(r.Elapsed))
	default:
		g.row(s.Title, to, outcome, strconv.Itoa(r.Nodes), strconv.Itoa(r.Expected), "", "", "", inMillis(r.Elapsed))
		for _, d := range r.Deliveries {
			g.row("", "user:"+d.User, "· "+outcomeWord(g.to, d.Outcome), orDash(d.Node), orDash(short(d.Socket)), orDash(d.Carrier),
				inMillis(d.Written), inMillis(d.Settled), "")
		}
	}
}

func inMillis(d time.Duration) string { return strings.TrimSuffix(elapsed(d), " ms") }

// short is the end of a socket's ID: the start is that of its node.
func short(socket string) string {
	const end = 6
	if len(socket) <= end {
		return socket
	}
	return "…" + socket[len(socket)-end:]
}

const tryNext = `
Try next, each in a terminal of its own:
  ackbus serve
  ackbus connect --url ws://127.0.0.1:7070/ws --user 42
  ackbus connect --url tcp://127.0.0.1:7071 --user 42 --reply nack
  ackbus request user:42 payment.settled '{"amount":100}' --require all
  curl -d '{"to":"user:42","event":"payment.settled"}' http://127.0.0.1:7070/v1/request
`
