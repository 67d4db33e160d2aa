package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/plain"
)

// doctorTimeout bounds all looks together.
const doctorTimeout = 30 * time.Second

// A doctor is the command of that name.
type doctor struct {
	bus  busFlags
	json bool
}

func newDoctor() *cobra.Command {
	d := new(doctor)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check Redis and this machine, and say what to change",
		Long: `Check Redis and this machine, and say what to change.

It looks at Redis in the way in which a node uses it, with the rights that the URL gives, and leaves nothing behind. Exit codes: 0 all is
well, 1 something has to change, 2 wrong usage, 3 Redis can't be reached.`,
		Example: `  ackbus doctor --redis redis://10.0.0.5:6379`,
		Args:    cobra.NoArgs,
		RunE:    running(d.run),
	}
	d.bus.addObserver(cmd.Flags())
	cmd.Flags().BoolVar(&d.json, "json", false, "print JSON")
	return cmd
}

func (d *doctor) run(cmd *cobra.Command, _ []string) error {
	ctx, stop := signalled(cmd.Context())
	defer stop()
	findings, err := d.look(ctx)
	if err != nil {
		return d.bus.hint(cmd, err)
	}
	faults := 0
	for _, f := range findings {
		if f.Grade == relay.GradeFault {
			faults++
		}
	}
	if err := d.print(cmd.OutOrStdout(), findings, faults); err != nil {
		return err
	}
	if faults > 0 {
		return &exitError{code: exitFailed} // all was said
	}
	return nil
}

func (d *doctor) look(ctx context.Context) ([]relay.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	findings, err := relay.Diagnose(ctx, d.bus.redis, &relay.Options{Prefix: d.bus.prefix, Lanes: d.bus.lanes})
	switch {
	case errors.Is(err, relay.ErrUnavailable):
		return nil, unreachable(err)
	case err != nil:
		return nil, usageError("%w", plain.Error(err))
	}
	return append(findings, openFiles()), nil
}

func (d *doctor) print(to io.Writer, findings []relay.Finding, faults int) error {
	if d.json {
		return printJSON(to, struct {
			Faults   int             `json:"faults"`
			Findings []relay.Finding `json:"findings"`
		}{faults, findings})
	}
	var page strings.Builder
	const indent = "                           "
	for _, f := range findings {
		fmt.Fprintf(&page, "%s  %-18s  %s\n", gradeWord(to, f.Grade), f.Check, oneLine(f.Text))
		if f.Fix != "" {
			fmt.Fprintf(&page, "%s→ %s\n", indent, oneLine(f.Fix))
		}
	}
	fmt.Fprintf(&page, "%d checks, %d to be mended\n", len(findings), faults)
	if strings.Contains(page.String(), " SET") {
		page.WriteString("What CONFIG SET and ACL SETUSER change is gone when Redis ends: CONFIG REWRITE, or ACL SAVE, makes it last.\n")
	}
	_, err := io.WriteString(to, page.String())
	return err
}

// gradeWord is five characters wide, whatever its colour.
func gradeWord(to io.Writer, g relay.Grade) string {
	colour := text.FgYellow
	switch g {
	case relay.GradeGood:
		colour = text.FgGreen
	case relay.GradeFault:
		colour = text.FgRed
	case relay.GradeNote:
	}
	return painted(to, fmt.Sprintf("%-5s", g), colour)
}
