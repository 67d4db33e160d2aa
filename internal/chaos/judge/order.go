package judge

import (
	"fmt"
	"slices"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// judgeOrder looks at what came to a socket from one publisher for one address. Of two calls at the same time either may come first, so
// only calls of which one had ended before the other began are held against each other.
func judgeOrder(w *world, v *Verdict) {
	for _, sockets := range w.clients {
		for _, s := range sockets {
			streams := make(map[string][]history.Event)
			for _, e := range s.seen {
				c := w.calls[e.Message.Key]
				if c == nil || e.Message.Redelivered || c.ID != "" { // a chosen ID is asked for first
					continue
				}
				stream := fmt.Sprint(c.From, w.incarnation(c.From, c.begin.At), " ", c.To)
				streams[stream] = append(streams[stream], e)
			}
			for _, stream := range streams {
				w.judgeStream(v, stream)
			}
		}
	}
}

// judgeStream goes backwards: nothing that comes later may have ended before this one began.
func (w *world) judgeStream(v *Verdict, stream []history.Event) {
	earliest, at := int64(forever), -1
	for i, e := range slices.Backward(stream) {
		v.examine(Order)
		c := w.calls[e.Message.Key]
		if at >= 0 && earliest < c.begin.At {
			later := w.calls[stream[at].Message.Key]
			v.violatef(Order, []history.Event{c.begin, later.begin, e, stream[at]},
				"%s to %s came before %s, which had been over before", c.name(), c.To, later.name())
		}
		if end := c.end(); end != nil && end.End.Failure != history.Broken && end.At < earliest { // a broken one may still be on its way
			earliest, at = end.At, i
		}
	}
}
