package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
)

// A bar shows a person how far the search has come. On anything but a terminal only its last line is printed.
type bar struct {
	to      io.Writer
	live    bool // a terminal
	total   uint64
	tried   uint64
	batches map[string]int // by worker
	began   time.Time
}

func newBar(to io.Writer, total uint64) *bar {
	f, ok := to.(*os.File)
	return &bar{to: to, live: ok && term.IsTerminal(int(f.Fd())), total: total, batches: make(map[string]int), began: time.Now()}
}

// add takes the answer to one batch.
func (b *bar) add(worker string, tried uint64) {
	b.tried += tried
	b.batches[worker]++
}

func (b *bar) draw() {
	if b.live {
		fmt.Fprint(b.to, "\r"+b.line(time.Since(b.began))+"\x1b[K")
	}
}

// line is the bar after some time.
func (b *bar) line(took time.Duration) string {
	const width = 40
	done := float64(b.tried) / float64(b.total)
	full := int(done * width)
	rate := float64(b.tried) / 1e6 / max(took.Seconds(), 1e-3)
	return fmt.Sprintf("[%s%s] %5.1f %%  %.1f M words/s  workers that answered: %d", strings.Repeat("#", full),
		strings.Repeat(".", width-full), 100*done, rate, len(b.batches))
}

// end says what was tried, and by whom.
func (b *bar) end() {
	b.draw()
	if b.live {
		fmt.Fprintln(b.to)
	}
	fmt.Fprintf(b.to, "tried %d of %d words in %v\n", b.tried, b.total, time.Since(b.began).Round(time.Millisecond))
	for _, worker := range slices.Sorted(maps.Keys(b.batches)) {
		fmt.Fprintf(b.to, "  %s hashed %d batches\n", worker, b.batches[worker])
	}
}
