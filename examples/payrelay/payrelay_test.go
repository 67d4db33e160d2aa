package main

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

// Two nodes, and four merchants: one that answers, one that refuses, one that stays silent, one that is not there.
func TestReceipts(t *testing.T) {
	leak.Check(t)
	needTools(t)
	redis := redistest.Start(t)
	a, b := startNode(t, redis, "relay-a", "20s"), startNode(t, redis, "relay-b", "2s")
	bakery := startMerchant(t, "bakery", "answer", newLedger(t), b)
	florist := startMerchant(t, "florist", "refuse", newLedger(t), a)
	kiosk := startMerchant(t, "kiosk", "silent", newLedger(t), a)

	for _, c := range []struct {
		to      string
		at      *node
		status  int
		outcome string
		by      *merchant
	}{
		{"bakery", a, http.StatusOK, "confirmed", bakery}, // from the other node
		{"bakery", b, http.StatusOK, "confirmed", bakery}, // from its own
		{"florist", a, http.StatusConflict, "rejected", florist},
		{"florist", b, http.StatusConflict, "rejected", florist},
		{"kiosk", b, http.StatusGatewayTimeout, "unconfirmed", kiosk},
		{"tailor", a, http.StatusNotFound, "no_receiver", nil},
		{"tailor", b, http.StatusNotFound, "no_receiver", nil},
	} {
		t.Run(c.to+" through "+c.at.name, func(t *testing.T) {
			id := newPayment()
			got := c.at.pay(id, c.to)
			d := got.want(t, c.status, c.outcome)
			if got.ID != id {
				t.Errorf("the receipt is for %s, want %s", got.ID, id)
			}
			if c.by != nil {
				checkDelivery(t, got, d, c.by)
			} else if len(got.Deliveries) > 0 {
				t.Errorf("delivered to %+v, want nobody", got.Deliveries)
			}
			for _, n := range []*node{a, b} {
				n.await(`msg=payment id=` + id + ` merchant=` + c.to + ` amount=1250 currency=EUR outcome=` + c.outcome + ` took_ms=`)
			}
		})
	}
	for _, n := range []*node{a, b} {
		n.await(`msg="first payment"`)
		if status := n.end("TERM"); status != 0 {
			t.Errorf("%s ended with %d", n.name, status)
		}
		if all, _ := n.said(`msg=payment`); len(all) != 7 {
			t.Errorf("%s logged %d payments, want 7", n.name, len(all))
		}
		if missed, _ := n.said(`payment was not logged`); len(missed) > 0 {
			t.Errorf("%s: %s", n.name, missed[0][0])
		}
		if once, _ := n.said(`msg="first payment"`); len(once) != 1 {
			t.Errorf("%s was told of a first payment %d times", n.name, len(once))
		}
	}
}

// checkDelivery holds a delivery against the merchant's own view of it.
func checkDelivery(t *testing.T, a answer, d delivery, by *merchant) {
	t.Helper()
	if len(a.Deliveries) != 1 || d.Carrier != "tcp" || d.Outcome != a.Outcome ||
		d.Node != by.node || d.Socket != by.socket || d.User != by.name {
		t.Errorf("delivered to %+v, want %s on %s, socket %s", d, by.name, by.node, by.socket)
	}
	if d.Written <= 0 || d.Settled < d.Written || a.Elapsed < d.Settled {
		t.Errorf("written after %v ms, settled after %v ms of %v ms", d.Written, d.Settled, a.Elapsed)
	}
	booked := by.booked(a.ID)
	switch d.Outcome {
	case "confirmed":
		if booked != 1 || d.Reply.Booking < 1 || d.Reply.Again {
			t.Errorf("booked %d times, reply %+v", booked, d.Reply)
		}
	case "rejected":
		if booked != 0 || d.Error.Code != "closed" || d.Error.Message != "we take no payments today" {
			t.Errorf("booked %d times, error %+v", booked, d.Error)
		}
	case "unconfirmed": // the nasty case: booked, and the answer was lost
		if booked != 1 {
			t.Errorf("booked %d times, want 1", booked)
		}
	}
}

// A payment that is posted again, at whatever node, is the same payment.
func TestPostedAgain(t *testing.T) {
	leak.Check(t)
	needTools(t)
	redis := redistest.Start(t)
	a, b := startNode(t, redis, "relay-a", "20s"), startNode(t, redis, "relay-b", "2s")
	ledger := newLedger(t)
	bakery := startMerchant(t, "bakery", "silent", ledger, a)

	lost := newPayment()
	b.pay(lost, "bakery").want(t, http.StatusGatewayTimeout, "unconfirmed")
	bakery.end("TERM")
	b.pay(lost, "bakery").want(t, http.StatusNotFound, "no_receiver")

	bakery = startMerchant(t, "bakery", "answer", ledger, b)
	if d := a.pay(lost, "bakery").want(t, http.StatusOK, "confirmed"); !d.Reply.Again {
		t.Errorf("the reply is %+v, want again: the merchant had booked it before", d.Reply)
	}
	first := b.pay(lost, "bakery").want(t, http.StatusOK, "confirmed")
	second := a.pay(lost, "bakery").want(t, http.StatusOK, "confirmed")
	if first.Reply != second.Reply || first.Socket != second.Socket {
		t.Errorf("posted twice: %+v, then %+v", first, second)
	}
	if n := bakery.booked(lost); n != 1 {
		t.Errorf("booked %d times, want once", n)
	}
	bakery.end("TERM")
	startMerchant(t, "bakery", "refuse", ledger, a)
	a.pay(lost, "bakery").want(t, http.StatusOK, "confirmed") // what is booked stays booked
	a.pay(newPayment(), "bakery").want(t, http.StatusConflict, "rejected")

	other := strings.Replace(changed("id", `"`+lost+`"`), "1250", "1251", 1)
	if got := a.curl(other); got.status != http.StatusUnprocessableEntity || got.Error.Code != "id_conflict" || got.Error.Field != "id" {
		t.Errorf("another payment under the same ID: %d %s", got.status, got.text)
	}
}

// A node that goes takes no payment with it: its merchants move to another.
func TestNodeLeaves(t *testing.T) {
	leak.Check(t)
	needTools(t)
	redis := redistest.Start(t)
	a, b := startNode(t, redis, "relay-a", "20s"), startNode(t, redis, "relay-b", "20s")
	bakery := startMerchant(t, "bakery", "answer", newLedger(t), b, a)
	if d := a.pay(newPayment(), "bakery").want(t, http.StatusOK, "confirmed"); d.Node != "relay-b" {
		t.Errorf("confirmed by %+v, want relay-b", d)
	}
	if status := b.end("TERM"); status != 0 {
		t.Errorf("relay-b ended with %d", status)
	}
	bakery.await(`connected to relay-a`)
	if d := a.pay(newPayment(), "bakery").want(t, http.StatusOK, "confirmed"); d.Node != "relay-a" || d.Reply.Booking != 2 {
		t.Errorf("confirmed by %+v, want relay-a and the second booking", d)
	}
}

func TestRefusedPosts(t *testing.T) {
	leak.Check(t)
	needTools(t)
	n := startNode(t, redistest.Start(t), "relay-a", "20s")
	for _, c := range []struct {
		body        string
		status      int
		code, field string
	}{
		{changed("amount", "0"), http.StatusBadRequest, "bad_request", "amount"},
		{changed("amount", "12.50"), http.StatusBadRequest, "bad_request", "amount"},
		{changed("currency", `"euro"`), http.StatusBadRequest, "bad_request", "currency"},
		{changed("id", ``), http.StatusBadRequest, "bad_request", "id"},
		{changed("merchant", `"all the merchants"`), http.StatusBadRequest, "bad_request", "merchant"},
		{`{"total":1}`, http.StatusBadRequest, "bad_request", ""},
		{`"` + strings.Repeat("x", maxPost) + `"`, http.StatusRequestEntityTooLarge, "too_large", ""},
	} {
		got := n.curl(c.body)
		if got.status != c.status || got.Error.Code != c.code || got.Error.Field != c.field || got.Error.Message == "" {
			t.Errorf("%.60s: got %d %s, want %d %s %s", c.body, got.status, got.text, c.status, c.code, c.field)
		}
	}
}

// Without Redis nothing is sent, and the one who posts learns that, and nothing of our insides.
func TestRedisGone(t *testing.T) {
	leak.Check(t)
	needTools(t)
	redis := redistest.Start(t)
	n := startNode(t, redis, "relay-a", "20s")
	redis.Kill()
	got := n.pay(newPayment(), "bakery")
	if got.status != http.StatusServiceUnavailable || got.Error.Code != "unavailable" || strings.Contains(got.text, redis.Addr()) {
		t.Errorf("got %d %s", got.status, got.text)
	}
	n.await(`msg="payment was not sent" id=`)
	redis.Restart()
	startMerchant(t, "bakery", "answer", newLedger(t), n)
	n.pay(newPayment(), "bakery").want(t, http.StatusOK, "confirmed")
}

// A back end without a merchant's token learns why it is not let in.
func TestUnknownToken(t *testing.T) {
	leak.Check(t)
	needTools(t)
	n := startNode(t, redistest.Start(t), "relay-a", "20s")
	p := start(t, "stranger", nil, "lua5.4", "merchant.lua", "--token", "guessed", "--gateway", n.tcp, "--ledger", newLedger(t))
	p.await(`error unauthorized: no merchant has this token`)
	p.await(`disconnected from`)
}

func TestLuaJSON(t *testing.T) {
	needTools(t)
	if out, err := exec.Command("lua5.4", "-e", `package.path = "./?.lua"`, "testdata/json_check.lua").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
