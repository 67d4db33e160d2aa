package judge

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

const (
	// settling is how long after a fault everything has to be as before.
	settling = 3 * time.Second
	// longStall is how long a process must have stood still for that to be a fault in itself.
	longStall = time.Second
)

// A world is a history by what it is about.
type world struct {
	calls   map[history.Key]*call
	keys    []history.Key // of calls, in the order in which they began
	sockets map[string]*socket
	clients map[string][]*socket // of each client, in order
	faults  []fault
	stalls  map[string][]span
	began   map[string][]int64 // of each process, when its incarnations began
	settled int64
	gauges  map[string]map[string]history.Event // by when and actor
	methods *errands
	jobs    *errands
	left    []history.Event
	stray   []history.Event // of messages or ends that belong to no call
}

// A call is what a publisher asked, with everything that came of it.
type call struct {
	history.Call
	begin   history.Event
	ends    []history.Event
	seen    []history.Event
	answers []history.Event
	origin  *call   // whose ID and content it has; itself, if it is the first
	repeats []*call // that have its ID and content, in order
}

// end is the first, or nil.
func (c *call) end() *history.Event {
	if len(c.ends) == 0 {
		return nil
	}
	return &c.ends[0]
}

// receipt is nil where there is none.
func (c *call) receipt() *history.Receipt {
	if end := c.end(); end != nil {
		return end.End.Receipt
	}
	return nil
}

// span is from the beginning to the end, or without end.
func (c *call) span() span {
	if end := c.end(); end != nil {
		return span{c.begin.At, end.At}
	}
	return span{c.begin.At, forever}
}

func (c *call) name() string { return c.Publisher + " " + strconv.Itoa(c.Number) }

// A socket is one connection of a client, as the client knows it.
type socket struct {
	id     string
	client string
	node   string
	manner string
	groups []string
	life   span
	seen   []history.Event
}

// holds reports whether messages to the address are for the socket.
func (s *socket) holds(address string) bool {
	kind, name, _ := strings.Cut(address, ":")
	switch kind {
	case "user":
		return name == s.client
	case "group":
		return slices.Contains(s.groups, name)
	case "socket":
		return name == s.id
	}
	return address == "all"
}

type fault struct {
	history.Trouble
	span
}

func newWorld(events []history.Event) *world {
	w := &world{calls: make(map[history.Key]*call), sockets: make(map[string]*socket), clients: make(map[string][]*socket),
		stalls: make(map[string][]span), began: make(map[string][]int64), gauges: map[string]map[string]history.Event{},
		methods: newErrands(), jobs: newErrands()}
	for _, e := range events {
		w.take(e)
	}
	for _, key := range w.keys {
		w.join(w.calls[key])
	}
	w.endTurns()
	for actor, stalls := range w.stalls {
		w.stalls[actor] = merged(stalls)
	}
	return w
}

// join finds the call that a call repeats.
func (w *world) join(c *call) {
	c.origin = c
	if c.First == 0 {
		return
	}
	if first := w.calls[history.Key{Publisher: c.Publisher, Number: c.First}]; first != nil {
		c.origin = first
		first.repeats = append(first.repeats, c)
	}
}

func (w *world) take(e history.Event) {
	switch e.Kind {
	case history.Welcome:
		s := &socket{id: e.Socket, client: e.Actor, node: e.Node, manner: e.Text, groups: e.Groups, life: span{e.At, forever}}
		w.sockets[e.Socket] = s
		w.clients[e.Actor] = append(w.clients[e.Actor], s)
	case history.Closed:
		if s := w.sockets[e.Socket]; s != nil {
			s.life.to = e.At
		}
	case history.Seen, history.Answered:
		w.takeMessage(e)
	case history.Asked:
		w.calls[e.Call.Key] = &call{Call: *e.Call, begin: e}
		w.keys = append(w.keys, e.Call.Key)
	case history.Ended:
		if c := w.calls[e.End.Key]; c != nil {
			c.ends = append(c.ends, e)
		} else {
			w.stray = append(w.stray, e)
		}
	case history.Stalled:
		w.stalls[e.Actor] = append(w.stalls[e.Actor], span{e.Since, e.At})
	case history.Gauge:
		if w.gauges[e.Text] == nil {
			w.gauges[e.Text] = make(map[string]history.Event)
		}
		w.gauges[e.Text][e.Actor] = e
	default:
		if !w.takeTask(e) {
			w.takeCourse(e)
		}
	}
}

func (w *world) takeMessage(e history.Event) {
	if s := w.sockets[e.Socket]; s != nil && e.Kind == history.Seen {
		s.seen = append(s.seen, e)
	}
	c := w.calls[e.Message.Key]
	switch {
	case c == nil:
		w.stray = append(w.stray, e)
	case e.Kind == history.Seen:
		c.seen = append(c.seen, e)
	default:
		c.answers = append(c.answers, e)
	}
}

// takeCourse takes what is about the run itself.
func (w *world) takeCourse(e history.Event) {
	switch e.Kind {
	case history.Fault:
		w.faults = append(w.faults, fault{*e.Fault, span{e.At, forever}})
	case history.Healed:
		for i := range w.faults {
			if w.faults[i].Number == e.Fault.Number {
				w.faults[i].to = e.At
			}
		}
	case history.Began:
		w.began[e.Actor] = append(w.began[e.Actor], e.At)
	case history.Left:
		w.left = append(w.left, e)
	case history.Settled:
		w.settled = e.At
	}
}

// stalled is how much of a span any of the processes stood still.
func (w *world) stalled(s span, actors ...string) time.Duration {
	var all []span
	for _, actor := range actors {
		all = append(all, s.of(w.stalls[actor])...)
	}
	return s.within(all)
}

// touched reports whether a fault touched any of the actors at some time of the span.
func (w *world) touched(s span, actors ...string) bool {
	return slices.ContainsFunc(w.faults, func(f fault) bool { return f.meets(s) && f.touches(actors...) })
}

// touches reports whether one of the actors is touched; without any, whether anything is.
func (f *fault) touches(actors ...string) bool {
	return len(actors) == 0 || slices.ContainsFunc(f.Touches, func(who string) bool { return slices.Contains(actors, who) })
}

// A disturbance is when things need not go as they would otherwise.
type disturbance struct {
	times  []span   // in which nothing need: merged
	drains []*fault // that are no more than a node which leaves as it should
}

// disturbances are the faults, each with the time after it in which things settle, and the long stalls.
func (w *world) disturbances() *disturbance {
	d := &disturbance{}
	times := []span{{0, w.settled}}
	for i := range w.faults {
		switch f := &w.faults[i]; f.Does {
		case history.Drains:
			d.drains = append(d.drains, f)
		case history.Shifts: // is no disturbance: nothing may depend on it
		default:
			times = append(times, lengthened(f.span, settling))
		}
	}
	for _, stalls := range w.stalls {
		for _, s := range stalls {
			if s.to-s.from >= longStall.Nanoseconds() {
				times = append(times, lengthened(s, settling))
			}
		}
	}
	d.times = merged(times)
	return d
}

// calm reports whether nothing disturbs a call to those sockets within a span. A node that drains disturbs only what goes through itself.
func (c *call) calm(during span, there []*socket, d *disturbance) bool {
	if len(during.of(d.times)) > 0 {
		return false
	}
	return !slices.ContainsFunc(d.drains, func(f *fault) bool {
		return lengthened(f.span, settling).meets(during) && (len(there) == 0 || f.touches(c.From, c.Publisher, c.Entry) ||
			slices.ContainsFunc(there, func(s *socket) bool { return f.touches(s.node) }))
	})
}

func lengthened(s span, by time.Duration) span {
	if s.to < forever {
		s.to += by.Nanoseconds()
	}
	return s
}

// incarnation is which of the lives of a process an instant falls into.
func (w *world) incarnation(actor string, at int64) int {
	n := 0
	for _, began := range w.began[actor] {
		if began <= at {
			n++
		}
	}
	return n
}
