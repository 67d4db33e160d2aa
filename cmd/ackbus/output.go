package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// isTerminal reports whether a person looks at the stream.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// isColourful reports whether the stream takes colour (see https://no-color.org).
func isColourful(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// printJSON prints one value as one line.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// A grid is a table on its way to a stream.
type grid struct {
	to    io.Writer
	table table.Writer
}

func newGrid(to io.Writer, columns ...any) *grid {
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(columns)
	return &grid{to, t}
}

// narrow leaves out the lines between columns.
func (g *grid) narrow() {
	style := g.table.Style()
	style.Options = table.Options{SeparateHeader: true}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
}

func (g *grid) row(cells ...any) { g.table.AppendRow(cells) }

func (g *grid) print() error {
	_, err := fmt.Fprintln(g.to, g.table.Render())
	return err
}

// painted colours a word where the stream takes colour.
func painted(w io.Writer, word string, colour text.Color) string {
	if !isColourful(w) {
		return word
	}
	return colour.Sprint(word)
}
