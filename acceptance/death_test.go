package acceptance

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

const awaited = 50

// fifty connects clients to the second node that don't acknowledge.
func fifty(t *testing.T, c *cluster) []*client {
	t.Helper()
	clients := make([]*client, awaited)
	for i := range clients {
		clients[i] = connect(t, c.gw2, carriers[i%3], fmt.Sprint("u", i), silent)
	}
	return clients
}

// askEach posts a request to each of the clients, at the first node, and returns once each has the message and the first node
// knows who holds it: what is confirmed by another client of the second node was reported after that.
func askEach(t *testing.T, c *cluster, clients []*client) *asked {
	t.Helper()
	requests := asking(t, awaited, func(i int) *answer {
		return c.gw1.ask("user:"+clients[i].user, object{"timeout_ms": 30000})
	})
	for _, client := range clients {
		eventually(t, client.user+" has the message", func() bool { return len(client.messages("e")) == 1 })
	}
	connect(t, c.gw2, overJSON, "last", confirm)
	c.gw1.ask("user:last", nil).want(t, http.StatusOK, "confirmed")
	return requests
}

// wantUnknown takes all answers, which must name the second node and come soon after it fell silent.
func wantUnknown(t *testing.T, requests *asked, since time.Time, limit time.Duration) {
	t.Helper()
	var latest time.Duration
	for range awaited {
		a := requests.next(t)
		if d := a.wantOne(t, http.StatusGatewayTimeout, "unknown"); d.Node != "gw-2" {
			t.Errorf("the node is not named: %v", a)
		}
		latest = max(latest, a.at.Sub(since))
	}
	t.Logf("the last of %d ended after %v", awaited, latest)
	if latest > limit {
		t.Errorf("the last of %d ended after %v, want %v at most", awaited, latest, limit)
	}
}

func TestNodeKilled(t *testing.T) {
	c := newCluster(t)
	requests := askEach(t, c, fifty(t, c))
	killed := time.Now()
	c.gw2.kill()
	wantUnknown(t, requests, killed, time.Second)
}

// A stopped node is given up soon; when it goes on, what it slept through is not delivered any more.
func TestNodeStopped(t *testing.T) {
	const timeout, slack = 300 * time.Millisecond, 2500 * time.Millisecond // nothing later than the deadline plus slack
	c := newCluster(t)
	clients := fifty(t, c)
	requests := askEach(t, c, clients)
	stopped := time.Now()
	c.gw2.pause(t)
	missed := asking(t, awaited, func(i int) *answer {
		return c.gw1.ask("user:"+clients[i].user, object{"event": "missed", "timeout_ms": timeout.Milliseconds()})
	})
	for range awaited {
		missed.next(t).want(t, http.StatusGatewayTimeout, "unknown")
	}
	late := time.Now().Add(slack) // the deadlines have passed by now
	wantUnknown(t, requests, stopped, 3500*time.Millisecond)
	eventually(t, "it is too late for what was missed", func() bool { return time.Now().After(late) })
	c.gw2.resume(t)

	// Whoever is still connected takes a new message; everything that came before it on its lane has been read then.
	for _, client := range clients {
		client.now(confirm)
	}
	for _, client := range clients {
		eventually(t, client.user+" is reached again, or gone", func() bool {
			select {
			case <-client.ended:
				return true
			default:
				return c.gw1.ask("user:"+client.user, object{"event": "new", "timeout_ms": 500}).status == http.StatusOK
			}
		})
		if n := len(client.messages("missed")); n > 0 {
			t.Errorf("%s got what it had missed", client.user)
		}
		if n := len(client.messages("e")); n != 1 {
			t.Errorf("%s got its first message %d times", client.user, n)
		}
	}
}
