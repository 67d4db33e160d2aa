package judge

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

const (
	// unhurried is how much time a call must have for its outcome to be foreseen.
	unhurried = time.Second
	// notice is how long after a socket has closed its client may still believe in it.
	notice = 200 * time.Millisecond
	// nobody begins the names of users who never connect.
	nobody = "user:nobody"
)

// judgeReach looks at who was there when a request ended as it did.
func judgeReach(w *world, v *Verdict) {
	disturbed := w.disturbances()
	for _, key := range w.keys {
		c := w.calls[key]
		r := c.receipt()
		if r == nil {
			continue
		}
		there, all := w.present(c)
		if r.Outcome == "no_receiver" {
			w.judgeNoReceiver(v, c, there)
		}
		if want := foreseen(c, there, all); want != "" && c.calm(c.span(), there, disturbed) {
			v.examine(Calm)
			switch {
			case r.Outcome == want:
			case w.hindered(c):
				v.excuse(Calm)
			default:
				v.violatef(Calm, []history.Event{c.begin, *c.end()}, "%s to %s is %s, although nothing was wrong: want %s",
					c.name(), c.To, r.Outcome, want)
			}
		}
	}
}

// present are the sockets that held the address during the whole call, and reports whether no other held it at any time of it. A socket
// whose end the client may not have noticed yet does not count as there.
func (w *world) present(c *call) (there []*socket, all bool) {
	all = true
	during := c.span()
	for _, s := range w.holders(c.To) {
		switch {
		case s.life.from < during.from && s.life.to > during.to+notice.Nanoseconds():
			there = append(there, s)
		case s.life.meets(lengthened(span{during.from - settling.Nanoseconds(), during.to}, notice)):
			all = false
		}
	}
	return there, all
}

func (w *world) holders(address string) []*socket {
	kind, name, _ := strings.Cut(address, ":")
	switch kind {
	case "user":
		return w.clients[name]
	case "socket":
		if s := w.sockets[name]; s != nil {
			return []*socket{s}
		}
		return nil
	}
	var all []*socket
	for _, sockets := range w.clients {
		for _, s := range sockets {
			if s.holds(address) {
				all = append(all, s)
			}
		}
	}
	return all
}

// judgeNoReceiver: whoever was there must not have been overlooked. In a fault that is excused only for sockets of a node that died, fell
// silent or left, or behind a link that is touched. A node that did not run for a second in all is in trouble too.
func (w *world) judgeNoReceiver(v *Verdict, c *call, there []*socket) {
	v.examine(NoReceiver)
	around := span{c.begin.At - settling.Nanoseconds(), c.end().At}
	for _, s := range there {
		gone := slices.ContainsFunc(w.faults, func(f fault) bool {
			return f.meets(around) && (f.removes() && f.touches(s.node) || f.touches(receivers))
		})
		if gone || w.stalled(around, s.node) >= longStall {
			v.excuse(NoReceiver)
			continue
		}
		v.violatef(NoReceiver, []history.Event{c.begin, *c.end()}, "%s to %s: no receiver, but the socket %s of %s was there",
			c.name(), c.To, s.id, s.client)
		return
	}
}

// removes reports whether others may take whom it touches for gone.
func (f *fault) removes() bool { return f.Does != "" && f.Does != history.Shifts }

// foreseen is how a call ends when nothing is wrong, or empty where that is open.
func foreseen(c *call, there []*socket, all bool) string {
	if strings.HasPrefix(c.To, nobody) {
		return "no_receiver"
	}
	if c.Volatile || !all || len(there) == 0 || c.Deadline-c.begin.At < unhurried.Nanoseconds() {
		return ""
	}
	if c.Level != "" {
		return c.Level
	}
	prompt := 0
	for _, s := range there {
		if s.manner == history.Prompt {
			prompt++
		}
	}
	needed, err := strconv.Atoi(c.Require)
	switch {
	case c.Require == "all":
		needed = len(there)
	case err != nil:
		needed = 1
	}
	switch {
	case prompt >= needed:
		return "confirmed"
	case len(there) > 1 || err == nil:
		return ""
	}
	return map[string]string{history.Unkind: "rejected", history.Mute: "unconfirmed"}[there[0].manner]
}
