package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/gateway"
)

// A frame has the fields of the frames that the examples use.
type frame struct {
	Type string `json:"type"`
	ID   string `json:"id,omitempty"`
	Data any    `json:"data,omitempty"`
}

// acknowledge connects as a user and confirms one message.
func acknowledge(url string, ready chan<- bool) {
	ws, _, err := websocket.DefaultDialer.Dial(url+"?user=42", nil)
	must(err)
	defer ws.Close()
	for {
		var f frame
		if ws.ReadJSON(&f) != nil {
			return
		}
		switch f.Type {
		case "welcome":
			ready <- true
		case "message":
			fmt.Println("client got", f.Data)
			must(ws.WriteJSON(frame{Type: "ack", ID: f.ID, Data: "thanks"}))
		}
	}
}

// must is for the errors that the examples don't handle.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// open makes a gateway on a bus in memory; bus.Open is for a real Redis.
func open(ctx context.Context) (*bus.Bus, *gateway.Gateway) {
	b, err := bus.New(ctx, relay.NewHub(nil).Relay(), nil)
	must(err)
	g, err := gateway.New(b, nil)
	must(err)
	return b, g
}

// A request to a user reaches the user's socket, and its receipt carries what the client answered.
func ExampleNew() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b, g := open(ctx)
	defer b.Close()
	server := httptest.NewServer(g)
	defer server.Close()
	defer g.Close()

	ready := make(chan bool)
	go acknowledge("ws"+strings.TrimPrefix(server.URL, "http"), ready)
	<-ready
	receipt, err := b.Request(ctx, bus.User("42"), "payment.settled", bus.JSON("a payment"))
	must(err)
	fmt.Println(receipt.Outcome, string(receipt.Deliveries[0].Reply.Raw()))

	sockets, total, err := gateway.Sockets(ctx, b, gateway.Filter{User: "42"})
	must(err)
	fmt.Println(total, sockets[0].Carrier)
	// Output:
	// client got a payment
	// confirmed "thanks"
	// 1 websocket
}

// A TCP client needs no library: it writes and reads lines of JSON.
func ExampleGateway_ServeTCP() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b, g := open(ctx)
	defer b.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	served := make(chan error)
	go func() { served <- g.ServeTCP(ctx, l) }()

	conn, err := net.Dial("tcp", l.Addr().String())
	must(err)
	defer conn.Close()
	fmt.Fprintln(conn, `{"type":"hello","user":"42"}`)
	fmt.Fprintln(conn, `{"type":"join","ref":"a","group":"news"}`)
	lines := bufio.NewScanner(conn)
	lines.Scan() // welcome
	lines.Scan()
	fmt.Println(lines.Text())

	must(g.Drain(ctx)) // the client is told, and closed
	lines.Scan()
	fmt.Println(lines.Text())
	fmt.Println(<-served)
	// Output:
	// {"type":"ok","ref":"a"}
	// {"type":"drain","reconnect_ms":1000}
	// <nil>
}
