package acceptance

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// A request posted to one node is confirmed by a client on the other, over each carrier.
func TestConfirmedOverEachCarrier(t *testing.T) {
	c := newCluster(t)
	for i, over := range carriers {
		user := fmt.Sprint("u", i)
		client := connect(t, c.gw2, over, user, confirm)
		a := c.gw1.ask("user:"+user, object{"data": object{"amount": 100, "text": "ü\n"}})
		d := a.wantOne(t, http.StatusOK, "confirmed")
		if d.Node != "gw-2" || d.Carrier != carrierOf(over) || d.User != user || d.Socket == "" ||
			fmt.Sprint(d.Reply) != fmt.Sprint(object{"got": object{"amount": 100, "text": "ü\n"}}) {
			t.Errorf("%s: %v", over, a)
		}
		if !(0 < d.Written && d.Written <= d.Settled && d.Settled <= a.Elapsed) {
			t.Errorf("%s: the times are out of order: %v", over, a)
		}
		if seen := client.messages("e"); len(seen) != 1 || seen[0].ID != a.ID || !seen[0].Ack || seen[0].Redelivered {
			t.Errorf("%s: the client saw %v", over, seen)
		}
	}
}

// Nobody there is said soon, by nodes that have been up for 3 s.
func TestNobodyThere(t *testing.T) {
	c := newCluster(t)
	eventually(t, "the nodes have been up for 3 s", func() bool { return time.Since(c.settled) > 3*time.Second })
	var took []time.Duration
	for i := range 15 {
		a := []*node{c.gw1, c.gw2}[i%2].ask(fmt.Sprint("user:nobody", i), nil)
		a.want(t, http.StatusNotFound, "no_receiver")
		if len(a.Deliveries) != 0 {
			t.Errorf("%v", a)
		}
		took = append(took, a.took)
	}
	slices.Sort(took) // a busy machine spoils some
	if middle := took[len(took)/2]; middle > 100*time.Millisecond {
		t.Errorf("it took %v, half of the time", middle)
	}
}

// The other outcomes that a client's behaviour brings about; dropped and expired need one that does not read, unknown a node that dies.
func TestOtherOutcomes(t *testing.T) {
	c := newCluster(t)
	for i, over := range carriers {
		user := fmt.Sprint("u", i)
		client := connect(t, c.gw2, over, user, refuse)
		d := c.gw1.ask("user:"+user, nil).wantOne(t, http.StatusConflict, "rejected")
		if d.Error.Code != "broke" || d.Error.Message != "no money" || d.Node != "gw-2" {
			t.Errorf("%s: rejected: %v", over, d)
		}
		client.now(confirm)
		a := c.gw1.ask("user:"+user, object{"require": 2})
		a.want(t, http.StatusConflict, "too_few")
		if a.Expected != 1 || a.Counts["confirmed"] != 1 {
			t.Errorf("%s: too few: %v", over, a)
		}
		client.now(silent)
		a = c.gw1.ask("user:"+user, object{"timeout_ms": 300})
		d = a.wantOne(t, http.StatusGatewayTimeout, "unconfirmed")
		if d.Written <= 0 || a.Elapsed < 290 || a.Elapsed > 350 {
			t.Errorf("%s: unconfirmed: %v", over, a)
		}
		client.now(func(frame) object {
			client.wire.conn.Close()
			return nil
		})
		a = c.gw1.ask("user:"+user, object{"timeout_ms": 10000})
		if d = a.wantOne(t, http.StatusGone, "closed"); d.Written <= 0 || a.took > 2*time.Second {
			t.Errorf("%s: closed: %v", over, a)
		}
	}
}
