package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ackbus/ackbus/cmd/ackbus/internal/load"
)

// barInterval is the time between two looks at a running load.
const barInterval = 200 * time.Millisecond

// A bar shows a person how far a load is. On anything but a terminal it is silent.
type bar struct {
	to    io.Writer // nil: silent
	shown bool
}

func newBar(to io.Writer) *bar {
	if !isTerminal(to) {
		return &bar{}
	}
	return &bar{to: to}
}

func (b *bar) show(p load.Progress) {
	if b.to == nil {
		return
	}
	b.shown = true
	_, _ = fmt.Fprintf(b.to, "\r%s\x1b[K", barLine(p))
}

// end wipes the line.
func (b *bar) end() {
	if b.shown {
		_, _ = fmt.Fprint(b.to, "\r\x1b[K")
	}
}

// barLine fits into 80 columns.
func barLine(p load.Progress) string {
	const width = 16
	full := int(p.Done * width)
	line := fmt.Sprintf("[%s%s] %3.0f%%  %s/s  p50 %s  p99 %s ms", strings.Repeat("#", full), strings.Repeat(".", width-full),
		100*p.Done, grouped(int(p.Rate)), latency(p.P50), latency(p.P99))
	if p.Unmet > 0 {
		line += fmt.Sprintf("  %s failed", grouped(p.Unmet))
	}
	if p.Left > 0 {
		line += fmt.Sprintf("  %.0f s", p.Left.Seconds())
	}
	return line
}
