package acceptance

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// sixty connects a group of 60, half of it at each node, a third of it over each carrier.
func sixty(t *testing.T, c *cluster, react reaction) []*client {
	t.Helper()
	clients := make([]*client, 60)
	for i := range clients {
		clients[i] = connect(t, []*node{c.gw1, c.gw2}[i%2], carriers[i/2%3], fmt.Sprint("m", i), react, "all")
	}
	return clients
}

func TestGroupOfSixty(t *testing.T) {
	c := newCluster(t)
	clients := sixty(t, c, confirm)
	whole := object{"require": "all", "detail": "all"}

	a := c.gw1.ask("group:all", whole)
	a.want(t, http.StatusOK, "confirmed")
	confirmed := a.users("confirmed")
	if a.Expected != 60 || a.Nodes != 2 || a.Counts["confirmed"] != 60 || len(a.Deliveries) != 60 || len(confirmed) != 60 {
		t.Fatalf("%v", a)
	}
	for i, client := range clients {
		d := confirmed[client.user]
		if want := []string{"gw-1", "gw-2"}[i%2]; d.Node != want || d.Carrier != carrierOf(carriers[i/2%3]) {
			t.Errorf("%s: %+v", client.user, d)
		}
	}

	refusing := []int{3, 24, 59} // one of each carrier
	for _, i := range refusing {
		clients[i].now(refuse)
	}
	for _, detail := range []string{"all", "summary"} {
		a = c.gw2.ask("group:all", object{"require": "all", "detail": detail})
		a.want(t, http.StatusConflict, "rejected")
		rejected := a.users("rejected")
		if len(rejected) != 3 || a.Counts["rejected"] != 3 || a.Counts["confirmed"] != 57 {
			t.Errorf("%s: %v", detail, a)
		}
		for _, i := range refusing {
			if rejected[clients[i].user].Error.Code != "broke" {
				t.Errorf("%s: %s is not named: %v", detail, clients[i].user, a)
			}
		}
	}
}

func TestTenOfSixty(t *testing.T) {
	c := newCluster(t)
	clients := sixty(t, c, silent)
	for _, client := range clients[:9] {
		client.now(confirm)
	}
	request := asking(t, 1, func(int) *answer {
		return c.gw1.ask("group:all", object{"require": 10, "timeout_ms": 15000, "detail": "all"})
	})
	eventually(t, "all have the message", func() bool {
		for _, client := range clients {
			if len(client.messages("e")) == 0 {
				return false
			}
		}
		return true
	})
	if len(request.answers) > 0 {
		t.Fatalf("nine were enough: %v", request.next(t))
	}
	tenth := clients[33]
	released := time.Now()
	tenth.say(t, confirm(tenth.messages("e")[0]))
	a := request.next(t)
	a.want(t, http.StatusOK, "confirmed")
	if late := a.at.Sub(released); late > time.Second {
		t.Errorf("the answer came %v after the tenth had confirmed", late)
	}
	if a.Counts["confirmed"] != 10 || a.Counts["written"]+a.Counts["claimed"] != 50 || a.Expected != 60 {
		t.Errorf("%v", a)
	}
	if _, there := a.users("confirmed")[tenth.user]; !there {
		t.Errorf("the tenth is not in it: %v", a)
	}
}
