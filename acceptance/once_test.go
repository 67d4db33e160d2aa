package acceptance

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"github.com/google/uuid"
)

// essence is what must be the same of a delivery in each receipt; its times are told from each publisher's own start.
func essence(a *answer) []delivery {
	same := make([]delivery, len(a.Deliveries))
	for i, d := range a.Deliveries {
		d.Written, d.Settled = 0, 0
		same[i] = d
	}
	return same
}

// The same ID again is answered as the first time and delivered no more: at once, later, at the other node, after the client moved.
func TestSameIDOnce(t *testing.T) {
	c := newCluster(t)
	for i, over := range carriers {
		user := fmt.Sprint("u", i)
		id := uuid.NewString()
		pay := func(n *node) *answer {
			return n.ask("user:"+user, object{"id": id, "data": object{"amount": 100}, "timeout_ms": 15000})
		}
		client := connect(t, c.gw2, over, user, silent)
		both := asking(t, 2, func(i int) *answer { return pay([]*node{c.gw1, c.gw2}[i]) })
		eventually(t, "the client has the message", func() bool { return len(client.messages("e")) > 0 })
		client.say(t, confirm(client.messages("e")[0]))
		first := both.next(t)
		first.wantOne(t, http.StatusOK, "confirmed")
		if first.ID != id {
			t.Errorf("%s: another ID: %v", over, first)
		}
		same := func(when string, a *answer) {
			t.Helper()
			a.want(t, http.StatusOK, "confirmed")
			if a.ID != id || !reflect.DeepEqual(essence(a), essence(first)) {
				t.Errorf("%s, %s:\n%v\nat first:\n%v", over, when, a, first)
			}
		}
		same("at the same time", both.next(t))
		same("later", pay(c.gw1))
		same("at the other node", pay(c.gw2))
		client.leave(t)
		moved := connect(t, c.gw1, over, user, confirm)
		same("when the client had moved", pay(c.gw1))
		same("when the client had moved, at the other node", pay(c.gw2))
		for _, n := range []*node{c.gw1, c.gw2} {
			n.ask("user:"+user, object{"id": id, "data": object{"amount": 101}}).want(t, http.StatusUnprocessableEntity, "id_conflict")
		}
		if here, there := client.messages("e"), moved.messages("e"); len(here) != 1 || len(there) != 0 {
			t.Errorf("%s: delivered %d times, and %d times after the move", over, len(here), len(there))
		}
		c.gw2.ask("user:"+user, nil).want(t, http.StatusOK, "confirmed") // another message reaches it
		if len(moved.messages("e")) != 1 {
			t.Errorf("%s: the moved client saw %v", over, moved.messages("e"))
		}
	}
}

// After an outcome that did not meet the requirement the message is sent again under its ID, and a client that acknowledged
// nothing may see it again.
func TestSameIDAfterFailure(t *testing.T) {
	c := newCluster(t)
	id := uuid.NewString()
	pay := func(n *node, timeout int) *answer {
		return n.ask("user:u", object{"id": id, "data": 1, "timeout_ms": timeout})
	}
	client := connect(t, c.gw2, overTCP, "u", silent)
	pay(c.gw1, 200).wantOne(t, http.StatusGatewayTimeout, "unconfirmed")
	client.now(confirm)
	a := pay(c.gw2, 10000)
	a.want(t, http.StatusOK, "confirmed")
	if seen := client.messages("e"); len(seen) == 0 || seen[0].ID != id {
		t.Errorf("the client saw %v", seen)
	}
	pay(c.gw1, 10000).want(t, http.StatusOK, "confirmed")
}
