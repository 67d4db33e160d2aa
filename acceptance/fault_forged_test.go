package acceptance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// A client acknowledges a message that was not written to it: it may have the ID from elsewhere. That says nothing.
func TestAnsweredBeforeWritten(t *testing.T) {
	c := newCluster(t)
	b := publisher(t, c)
	for i, over := range carriers[:1] {
		deaf := dial(t, c.gw2, over, true)
		user := fmt.Sprint("deaf", i)
		if err := deaf.greet(user); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its messages wait", func() bool { // of a volatile one that is not written nothing else can be the cause
			if _, err := b.Publish(t.Context(), bus.User(user), "fill", bus.JSON(strings.Repeat("x", 100<<10))); err != nil {
				t.Fatal(err)
			}
			return c.gw1.ask("user:"+user, object{"volatile": true, "timeout_ms": 50}).Outcome == "dropped"
		})
		id := uuid.NewString()
		asked := asking(t, 1, func(int) *answer {
			return c.gw1.ask("user:"+user, object{"id": id, "timeout_ms": 1000})
		})
		ignored := c.gw2.metric(t, "ackbus_unknown_acks_total")
		eventually(t, "the acknowledgement is ignored", func() bool {
			if err := deaf.write(object{"type": "ack", "id": id, "data": "I have it"}); err != nil {
				t.Fatal(err)
			}
			return c.gw2.metric(t, "ackbus_unknown_acks_total") > ignored+20
		})
		asked.next(t).wantOne(t, http.StatusGone, "expired")
	}
}

// Another client acknowledges a message, and the client itself twice: what counts is the client's first answer.
func TestAnsweredByAnother(t *testing.T) {
	c := newCluster(t)
	w := newWaiting(t, c)
	thief := connect(t, c.gw2, overTCP, "thief", confirm)
	id := w.client.messages("e")[0].ID
	ignored := c.gw2.metric(t, "ackbus_unknown_acks_total")
	thief.say(t, object{"type": "ack", "id": id, "data": "stolen"})
	eventually(t, "the thief is ignored", func() bool { return c.gw2.metric(t, "ackbus_unknown_acks_total") == ignored+1 })
	w.client.say(t, object{"type": "nack", "id": id, "code": "broke", "message": "no money"})
	w.client.say(t, object{"type": "ack", "id": id, "data": "all the same"})
	if d := w.asked.next(t).wantOne(t, http.StatusConflict, "rejected"); d.User != "u" || d.Error.Code != "broke" {
		t.Errorf("%+v", d)
	}
	eventually(t, "the second answer is ignored", func() bool { return c.gw2.metric(t, "ackbus_unknown_acks_total") == ignored+2 })
}
