package main

import (
	"fmt"
	"io"

	"github.com/ackbus/ackbus/bus"
)

// A progress shows a person how many deliveries of a request have settled. On anything but a terminal it is silent.
type progress struct {
	to      io.Writer // nil: silent
	settled int
}

func newProgress(to io.Writer) *progress {
	if !isTerminal(to) {
		return &progress{}
	}
	return &progress{to: to}
}

// delivery takes one that has settled.
func (p *progress) delivery(bus.Delivery) {
	if p.settled++; p.to != nil {
		_, _ = fmt.Fprintf(p.to, "\r%d settled", p.settled)
	}
}

// end wipes the line.
func (p *progress) end() {
	if p.to != nil && p.settled > 0 {
		_, _ = fmt.Fprint(p.to, "\r\x1b[K")
	}
}
