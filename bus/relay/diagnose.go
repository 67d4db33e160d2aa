package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// A Grade says what a Finding asks for.
type Grade string

// The grades.
const (
	GradeGood  Grade = "ok"    // it is as it should be
	GradeNote  Grade = "note"  // worth knowing; nothing has to change
	GradeFault Grade = "fault" // something has to change
)

// A Finding is what Diagnose found out about one thing.
type Finding struct {
	Check string `json:"check"`         // what was looked at
	Grade Grade  `json:"grade"`         // what it asks for
	Text  string `json:"text"`          // what was found, and what follows from it
	Fix   string `json:"fix,omitempty"` // what to do, a command where one does it; empty: nothing
}

// Diagnose looks at a Redis in the way in which a node uses it, and says what to change there. It leaves nothing behind; what it
// publishes and subscribes to lies below the prefix of the options, on a channel that no node has, and so do the keys that it writes and
// deletes, in the place of a queue that nobody has. ctx bounds it. Errors that wrap ErrUnavailable say that Redis can't be reached, or does
// not let us in; others are about the URL and the options.
func Diagnose(ctx context.Context, url string, opts *Options) ([]Finding, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	t, err := parseTarget(url)
	if err != nil {
		return nil, err
	}
	d := &diagnosis{dialer: newDialer(t, &o), prefix: o.Prefix}
	if d.link, err = d.dialer.open(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer d.link.close()
	for _, look := range []func(context.Context) error{d.reach, d.server, d.replication, d.clients, d.memory, d.settings, d.ways, d.jobs} {
		if err := look(ctx); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return d.findings, nil
}

// A diagnosis is on its way. Its looks return an error only where they can't go on: what Redis refuses is a finding.
type diagnosis struct {
	dialer   *dialer
	prefix   string
	link     *link
	embedded bool // it is no redis-server but what stands in for it
	noInfo   bool // INFO can't be had
	findings []Finding
}

func (d *diagnosis) goodf(check, format string, args ...any) {
	d.findings = append(d.findings, Finding{Check: check, Grade: GradeGood, Text: fmt.Sprintf(format, args...)})
}

func (d *diagnosis) notef(check, fix, format string, args ...any) {
	d.findings = append(d.findings, Finding{Check: check, Grade: GradeNote, Text: fmt.Sprintf(format, args...), Fix: fix})
}

func (d *diagnosis) faultf(check, fix, format string, args ...any) {
	d.findings = append(d.findings, Finding{Check: check, Grade: GradeFault, Text: fmt.Sprintf(format, args...), Fix: fix})
}

// unseen notes that Redis does not let things be looked at, and passes other errors on.
func (d *diagnosis) unseen(check, right, what string, err error) error {
	if !isReply(err) {
		return err
	}
	d.notef(check, "run ackbus doctor once as a user with the right "+right, "%s were not seen: %v", what, err)
	return nil
}

// right is the command that gives rights to the user of the URL. Whoever types it is another one, who may.
func (d *diagnosis) right(rights string) string {
	return strings.Join([]string{d.client(), "ACL SETUSER", cmp.Or(d.dialer.options.Username, "default"), rights}, " ")
}

// command is a command as it is typed to a shell, by the user of the URL.
func (d *diagnosis) command(text string) string {
	words := []string{d.client()}
	if user := d.dialer.options.Username; user != "" {
		words = append(words, "--user", user)
	}
	if d.dialer.options.Password != "" {
		words = append(words, "--askpass")
	}
	return strings.Join(append(words, text), " ")
}

// client is how a shell reaches the Redis.
func (d *diagnosis) client() string {
	words := []string{"redis-cli"}
	if host, port, err := net.SplitHostPort(d.link.addr); err == nil {
		words = append(words, "-h", host, "-p", port)
	} else {
		words = append(words, "-s", d.link.addr)
	}
	if d.dialer.options.TLSConfig != nil {
		words = append(words, "--tls")
	}
	return strings.Join(words, " ")
}

const (
	pings = 50
	// slowPing is more than a way through a data centre takes. Every message goes through Redis twice or more.
	slowPing = 10 * time.Millisecond
)

// reach asks whether Redis answers, and how fast.
func (d *diagnosis) reach(ctx context.Context) error {
	took := make([]time.Duration, 0, pings)
	for range pings {
		start := time.Now()
		err := d.link.client.Ping(ctx).Err()
		if err != nil && !replied(err, "NOPERM") { // an answer all the same
			return err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	half, all := took[pings/2].Round(time.Microsecond), took[pings-1].Round(time.Microsecond)
	if half > slowPing {
		d.faultf("round trip", d.command("--latency"), "%d round trips: half took over %v, one %v; every message takes two or more: "+
			"put nodes and Redis nearer together, or give Redis a core of its own", pings, half, all)
		return nil
	}
	d.goodf("round trip", "%d round trips: half within %v, all within %v", pings, half, all)
	return nil
}

// info reads a section of INFO. Its error is errEmbedded where only miniredis answers so.
func (d *diagnosis) info(ctx context.Context, section string) (map[string]string, error) {
	text, err := d.link.client.Info(ctx, section).Result()
	if err != nil {
		if isReply(err) && strings.HasPrefix(err.Error(), "section (") {
			return nil, errEmbedded
		}
		return nil, err
	}
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			fields[name] = value
		}
	}
	return fields, nil
}

var errEmbedded = errors.New("relay: the embedded Redis does not know")
