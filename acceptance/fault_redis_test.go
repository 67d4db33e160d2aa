package acceptance

import (
	"net/http"
	"testing"
	"time"
)

// tell has Redis do something.
func (c *cluster) tell(t *testing.T, words ...any) {
	t.Helper()
	admin := c.redis.Client()
	defer admin.Close()
	if err := admin.Do(t.Context(), words...).Err(); err != nil {
		t.Fatalf("%v: %v", words, err)
	}
}

// A waiting is a request whose client has the message and has not answered, made at the other node than the client's.
type waiting struct {
	c      *cluster
	client *client
	asked  *asked
}

func newWaiting(t *testing.T, c *cluster) *waiting {
	t.Helper()
	w := &waiting{c: c, client: connect(t, c.gw2, overJSON, "u", silent)}
	w.asked = asking(t, 1, func(int) *answer { return c.gw1.ask("user:u", object{"timeout_ms": 15000}) })
	eventually(t, "the client has the message", func() bool { return len(w.client.messages("e")) == 1 })
	return w
}

// confirms has the client answer, which its publisher must learn; then a new request reaches it at once or soon.
func (w *waiting) confirms(t *testing.T, soon time.Duration) {
	t.Helper()
	w.client.say(t, confirm(w.client.messages("e")[0]))
	w.asked.next(t).wantOne(t, http.StatusOK, "confirmed")
	w.client.now(confirm)
	within(t, soon, "the client is reached again", func() bool {
		return w.c.gw1.ask("user:u", object{"event": "new", "timeout_ms": 1000}).status == http.StatusOK
	})
	if n := len(w.client.messages("e")); n != 1 {
		t.Errorf("the client saw the message %d times", n)
	}
}

// Nothing of the bus is data in Redis: whoever empties it takes nothing from it.
func TestRedisFlushed(t *testing.T) {
	c := newCluster(t)
	w := newWaiting(t, c)
	c.tell(t, "FLUSHALL")
	c.gw1.ask("user:nobody", nil).want(t, http.StatusNotFound, "no_receiver")
	w.confirms(t, time.Second)
}

// All subscribers are thrown out in the middle of a request: it has its receipt, and nobody is called absent meanwhile.
func TestSubscribersThrownOut(t *testing.T) {
	c := newCluster(t)
	w := newWaiting(t, c)
	for range 3 {
		c.tell(t, "CLIENT", "KILL", "TYPE", "pubsub")
		if a := c.gw1.ask("user:u", object{"event": "meanwhile", "timeout_ms": 700}); a.Outcome == "no_receiver" {
			t.Errorf("the client is there: %v", a)
		}
	}
	w.confirms(t, 3*time.Second)
}

// A Redis without memory refuses transactions: messages go on, only that nobody is there can't be proved.
func TestRedisOutOfMemory(t *testing.T) {
	c := newCluster(t)
	w := newWaiting(t, c)
	c.tell(t, "CONFIG", "SET", "maxmemory", "1")
	c.gw1.ask("user:nobody", object{"timeout_ms": 500}).want(t, http.StatusGatewayTimeout, "unknown")
	w.confirms(t, time.Second)
	c.tell(t, "CONFIG", "SET", "maxmemory", "0")
	within(t, 3*time.Second, "nobody is nobody again", func() bool {
		return c.gw1.ask("user:nobody", object{"timeout_ms": 500}).Outcome == "no_receiver"
	})
}

// The right to the channels is taken away, and comes back: nothing is said that is not known, and the receipt comes.
func TestChannelsForbidden(t *testing.T) {
	forbidden(t, []any{"ACL", "SETUSER", "default", "resetchannels"}, []any{"ACL", "SETUSER", "default", "allchannels"})
}

// The same with the right to publish.
func TestPublishingForbidden(t *testing.T) {
	forbidden(t, []any{"ACL", "SETUSER", "default", "-publish"}, []any{"ACL", "SETUSER", "default", "+@all"})
}

func forbidden(t *testing.T, forbid, permit []any) {
	t.Helper()
	c := newCluster(t)
	w := newWaiting(t, c)
	c.tell(t, forbid...)
	for _, to := range []string{"user:u", "user:nobody"} {
		switch a := c.gw1.ask(to, object{"event": "meanwhile", "timeout_ms": 1000}); a.Outcome + a.Error.Code {
		case "unavailable", "unknown":
		default:
			t.Errorf("%s: %v", to, a)
		}
	}
	c.tell(t, permit...)
	w.confirms(t, 5*time.Second)
}
