package live_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/gateway"
	"github.com/ackbus/ackbus/rpc"
)

// TestInBrowser opens the page in a headless Chromium.
func TestInBrowser(t *testing.T) {
	b := openBrowser(t)
	for name, test := range map[string]func(*testing.T, browser){
		"receipt": testReceipt, "answers": testAnswers, "cluster": testCluster, "markup": testMarkup, "key": testKey, "token": testToken,
		"admin": testAdmin, "away": testAway,
	} {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

// A newcomer connects the client, sends, and sees the receipt.
func testReceipt(t *testing.T, b browser) {
	p := open(t, b, newNode(t, api.Options{}, nil), "Failed to load resource")
	p.await("#state", "live")
	p.await("#me", "gw-1")
	p.do(chromedp.Click("#connect"))
	p.await("#client-state", "connected to gw-1 as socket")
	p.do(chromedp.Click("#send"))
	p.await("#result", "confirmed", "gw-1", "websocket", `{"seen":true}`)
	p.await("#messages", `payment.settled {"amount":100} → confirmed`)
	p.await("#receipts", "user:42", "payment.settled", "confirmed", "gw-1", "user 42")
	p.await("#counts", "confirmed 1")
	p.await("#sockets", "42", "gw-1", "websocket")
	p.await("#tile-sockets", "1")
	p.await("#tile-total", "1")
	if title := p.text("document.title"); title != "ackbus · gw-1" {
		t.Errorf("the title is %q", title)
	}
	p.picture("receipt")
	p.do(chromedp.Click("#connect"))
	p.await("#client-state", "not connected")
	p.do(chromedp.Click("#send"))
	p.await("#result", "no_receiver", "Connect the client")
	p.do(chromedp.SetValue("#data", "hello"), chromedp.Click("#send"))
	p.await("#hint", "not JSON")
}

// The client refuses, and keeps silent, as it was told; large numbers arrive as they were typed.
func testAnswers(t *testing.T, b browser) {
	p := open(t, b, newNode(t, api.Options{}, nil), "Failed to load resource")
	p.do(chromedp.SetValue("#answer", "nack"), chromedp.Click("#connect"))
	p.await("#client-state", "connected to")
	p.do(chromedp.Click("#send"))
	p.await("#result", "rejected", "refused: refused on the live page")
	p.do(chromedp.SetValue("#answer", "none"), chromedp.SetValue("#timeout", "1000"), chromedp.SetValue("#event", "silence"),
		chromedp.Click("#send"))
	p.await("#result", "unconfirmed")
	p.await("#messages", "silence", "not answered")
	p.await("#counts", "rejected 1", "unconfirmed 1")
	p.await("#receipts", "silence", "unconfirmed", "rejected")
}

// What others do shows by itself.
func testCluster(t *testing.T, b browser) {
	n := newNode(t, api.Options{}, nil)
	server, err := rpc.NewServer(n.bus, &rpc.ServerOptions{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	p := open(t, b, n)
	p.await("#state", "live")
	rpc.Handle(server, "math.sum", func(_ context.Context, terms []int) (int, error) { return terms[0] + terms[1], nil })
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.await("#methods", "math.sum", "gw-1")
	q := n.jobs.Queue("thumbnails")
	for range 3 {
		if _, err := q.Enqueue(t.Context(), "picture.png"); err != nil {
			t.Fatal(err)
		}
	}
	p.await("#queues", "thumbnails", "3")
	if err := q.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.await("#queues", "thumbnails (paused)")
	p.picture("cluster")
	dark := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, dark); err != nil {
		t.Fatal(err)
	}
	if ground := p.text("getComputedStyle(document.body).backgroundColor"); ground != "rgb(18, 22, 28)" {
		t.Errorf("in the dark it is %s", ground)
	}
	p.picture("dark")
	p.do(chromedp.EmulateViewport(390, 844))
	if over := p.text("String(document.documentElement.scrollWidth - document.documentElement.clientWidth)"); over != "0" {
		t.Errorf("on a small screen it is %s px too wide", over)
	}
	p.picture("small")
}

// Text from anywhere stays text.
func testMarkup(t *testing.T, b browser) {
	const hostile = `<img src=x onerror=alert(1)>`
	n := newNode(t, api.Options{}, nil)
	_, err := n.bus.Subscribe(t.Context(), bus.Topic(hostile), func(context.Context, *bus.Message) (bus.Body, error) {
		return bus.Body{}, bus.Reject(hostile, "</script><script>alert(2)</script>")
	})
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, b, n, "Failed to load resource")
	p.do(chromedp.SetValue("#to", "topic:"+hostile), chromedp.SetValue("#event", hostile), chromedp.Click("#send"))
	p.await("#result", hostile+": </script><script>alert(2)</script>")
	p.await("#receipts", "topic:"+hostile)
	if found := p.text("String(document.querySelectorAll('img, body script ~ script').length)"); found != "0" {
		t.Errorf("%s elements were made of text", found)
	}
}

// Where the API asks for a key the page shows nothing without.
func testKey(t *testing.T, b browser) {
	p := open(t, b, newNode(t, api.Options{Keys: []string{"secret"}}, nil), "Failed to load resource")
	p.await("#gate", "asks for an API key")
	p.await("#state", "closed")
	if me := p.text("document.querySelector('#me').textContent"); me != "…" {
		t.Errorf("it shows %q", me)
	}
	p.picture("key")
	p.do(chromedp.SetValue("#key", "wrong"), chromedp.Click("#key-form button"))
	p.await("#key-fault", "not known")
	p.do(chromedp.SetValue("#key", "secret"), chromedp.Click("#key-form button"))
	p.await("#state", "live")
	p.await("#me", "gw-1")
	p.do(chromedp.Click("#send"))
	p.await("#result", "no_receiver")
}

// Where clients authenticate, the page's client asks for its token.
func testToken(t *testing.T, b browser) {
	n := newNode(t, api.Options{}, func(_ context.Context, c gateway.Credentials) (gateway.Identity, error) {
		if c.Token != "token of 7" {
			return gateway.Identity{}, errors.Join(errors.New("no"), bus.Reject("unauthorized", "the token is not valid"))
		}
		return gateway.Identity{User: "7"}, nil
	})
	p := open(t, b, n)
	p.do(chromedp.Click("#connect"))
	p.await("#client-state", "wants a valid token")
	p.do(chromedp.SetValue("#token", "token of 7"), chromedp.Click("#connect"))
	p.await("#client-state", "connected to gw-1")
	p.do(chromedp.SetValue("#to", "user:7"), chromedp.Click("#send"))
	p.await("#result", "confirmed")
	p.await("#sockets", "7")
}

// At an address of its own the page finds all that it needs, behind the same key.
func testAdmin(t *testing.T, b browser) {
	p := open(t, b, newNode(t, api.Options{Apart: true, Keys: []string{"secret"}}, nil), "Failed to load resource")
	p.await("#gate", "asks for an API key")
	p.do(chromedp.SetValue("#key", "secret"), chromedp.Click("#key-form button"))
	p.await("#state", "live")
	p.do(chromedp.Click("#connect"))
	p.await("#client-state", "connected to gw-1")
	p.do(chromedp.Click("#send"))
	p.await("#result", "confirmed")
	p.await("#receipts", "user:42")
}

// A node that is gone is said to be.
func testAway(t *testing.T, b browser) {
	n := newNode(t, api.Options{}, nil)
	p := open(t, b, n, "Failed to load resource")
	p.await("#state", "live")
	n.server.CloseClientConnections()
	n.server.Close()
	p.await("#state", "can't be reached")
	if shown := p.text("document.querySelector('#me').textContent"); !strings.Contains(shown, "gw-1") {
		t.Errorf("it forgot what it knew: %q", shown)
	}
}
